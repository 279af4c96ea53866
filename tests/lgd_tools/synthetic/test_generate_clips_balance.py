"""What a generated clip gives away, and what it does not.

Classifiers that see one frame stay at chance on new clips, while an oracle
that sees the motion reads the label.
"""

from itertools import product

import cv2
import numpy as np
import pytest
from scipy.stats import binom, kstest

from lgd_tools.synthetic.generate_clips import CLASSES, clip_seed
from lgd_tools.synthetic.motion import motion_path, render_motion
from lgd_tools.synthetic.texture import shape_mask

# Two-sided; some 30 classifiers are judged.
CONFIDENCE = 1 - 1e-4
NOTHING = 1e-4


def clips_of(split, count, **kwargs):
    """Clips (N, T, H, W, 3) and labels (N,), the seeds as in a data set."""
    pairs = list(product(range(count), range(len(CLASSES))))
    clips = [
        render_motion(
            CLASSES[label], seed=clip_seed(7, split, index), **kwargs
        )
        for index, label in pairs
    ]
    return np.stack(clips), np.array([label for _, label in pairs])


# ------------------------------------------------------- single-frame baseline
def still_features(frames):
    """(N, H, W, 3) uint8 -> dict of (N, D): what a still picture shows."""
    small, colours, edges, spectra = [], [], [], []
    for frame in frames:
        small.append(cv2.resize(frame, (12, 12), interpolation=3).ravel())
        bins = (frame // 64).reshape(-1, 3) @ [16, 4, 1]
        colours.append(np.bincount(bins, minlength=64))
        grey = frame.mean(-1)
        dy, dx = np.gradient(grey)
        angle = (np.arctan2(dy, dx) / np.pi + 1) * 8 - 1e-9
        edges.append(
            np.bincount(
                angle.astype(int).clip(0, 15).ravel(),
                weights=np.hypot(dx, dy).ravel(),
                minlength=16,
            )
        )
        power = np.abs(np.fft.fft2(grey - grey.mean()))[:8, :8]
        spectra.append(np.log1p(power).ravel())
    features = {
        'pixels': small,
        'colours': colours,
        'edges': edges,
        'spectrum': spectra,
    }
    return {name: np.array(v, float) for name, v in features.items()}


def nearest_neighbours(x, y, new, classes, k=9):
    distance = (new**2).sum(1)[:, None] - 2 * new @ x.T + (x**2).sum(1)[None]
    votes = np.eye(classes)[y[np.argsort(distance, axis=1)[:, :k]]].sum(1)
    return votes.argmax(1)


def ridge(x, y, new, classes):
    """Linear classifier by least squares on features and their squares."""

    def design(z):
        return np.column_stack([np.ones(len(z)), z, z**2])

    x, new = design(x), design(new)
    gram = x.T @ x + 0.1 * len(x) * np.eye(x.shape[1])
    return (new @ np.linalg.solve(gram, x.T @ np.eye(classes)[y])).argmax(1)


def scores(train, y, test, y_test, classes):
    """Accuracy of each classifier on each feature set, by name."""
    out = {}
    for name in train:
        mean, std = train[name].mean(0), train[name].std(0) + 1e-6
        x, new = (train[name] - mean) / std, (test[name] - mean) / std
        for method in (nearest_neighbours, ridge):
            guess = method(x, y, new, classes)
            out[f'{name}, {method.__name__}'] = (guess == y_test).mean()
    return out


def assert_chance(found, count, classes):
    low, high = binom.interval(CONFIDENCE, count, 1 / classes)
    print({name: round(float(v), 3) for name, v in found.items()})
    for name, accuracy in found.items():
        assert low <= accuracy * count <= high, (name, accuracy)


# --------------------------------------------------------------------- motion
def read_motion(clip):
    """Oracle: fit shift, turn and zoom to the picture's change, by pixels."""
    side = min(clip.shape[1:3])
    grey = [
        cv2.GaussianBlur(f.mean(-1).astype(np.float32), (0, 0), side * 0.035)
        for f in clip
    ]
    height, width = grey[0].shape
    y, x = np.mgrid[:height, :width]
    x, y = (x - width / 2) * 2 / side, (y - height / 2) * 2 / side
    total = np.zeros(4)
    for now, after in zip(grey[:-1], grey[1:], strict=True):
        dy, dx = np.gradient((now + after) / 2)
        terms = np.stack([dx, dy, x * dy - y * dx, x * dx + y * dy], -1)
        fit = np.linalg.lstsq(
            terms.reshape(-1, 4), (now - after).ravel(), rcond=None
        )
        total += fit[0]
    total[3] *= 1.5  # typical zooms move pixels less than typical turns
    axis = np.abs(total).argmax()
    names = ('right', 'left'), ('down', 'up'), CLASSES[4:6]
    names = (*names, CLASSES[6:8])
    return names[axis][int(total[axis] < 0)]


def test_opposite_motion_is_the_same_frames_in_reverse():
    for one, other in zip(CLASSES[::2], CLASSES[1::2], strict=True):
        a, b = (render_motion(c, (50, 64), 8, 3) for c in (one, other))
        assert np.array_equal(a, b[::-1])
        assert not np.array_equal(a, b)


def test_middle_frame_is_the_same_picture_for_every_motion():
    for seed in range(3):
        stills = [render_motion(c, (48, 48), 5, seed)[2] for c in CLASSES]
        assert all(np.array_equal(stills[0], still) for still in stills)


def test_position_angle_and_zoom_are_uniform_at_every_time():
    periods = np.array([64, 48, 2 * np.pi, 1])
    for label in CLASSES:
        paths = np.stack(
            [
                motion_path(label, (48, 64), 16, seed, 1.0)[1]
                for seed in range(400)
            ]
        )
        for t, axis in product((0, 7, 15), range(4)):
            circle = paths[:, t, axis] % periods[axis] / periods[axis]
            assert kstest(circle, 'uniform').pvalue > NOTHING, (label, t)


@pytest.mark.slow
def test_single_frame_of_a_motion_stays_at_chance_and_the_oracle_does_not():
    kwargs = {'size': (48, 48), 'frames': 8, 'speed': 1.5}
    train, y = clips_of('train', 32, **kwargs)
    test, y_test = clips_of('val', 32, **kwargs)
    for t in (0, 7):
        found = scores(
            still_features(train[:, t]),
            y,
            still_features(test[:, t]),
            y_test,
            len(CLASSES),
        )
        assert_chance(found, len(y_test), len(CLASSES))
    read = np.array([CLASSES.index(read_motion(c)) for c in test])
    right = read == y_test
    print('oracle', np.mean(right))
    assert np.mean(right) > 0.97


def test_the_single_frame_baseline_can_see_what_is_in_a_frame():
    # Else 'at chance' would say nothing: half of the frames hold a grey disc.
    disc = shape_mask(48, (24, 24), 16, 0, 0.0)[..., None]
    sides = []
    for split in ('train', 'val'):
        stills = []
        for i in range(30):
            seed = clip_seed(1, split, i)
            still = render_motion('up', (48, 48), 2, seed)[0]
            stills += [still, (still * (1 - disc) + 120 * disc).astype('u1')]
        sides += [still_features(np.array(stills)), np.arange(60) % 2]
    found = scores(*sides, 2)
    assert max(found.values()) > 0.9, found
