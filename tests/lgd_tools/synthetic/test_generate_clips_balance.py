"""What a generated clip gives away, and what it does not.

Counts over the design where the balance is exact; where it is statistical,
classifiers that see one frame (or one object) stay at chance on new clips,
while oracles that see the motion (or both objects) read the label.
"""

from collections import Counter
from itertools import product

import cv2
import numpy as np
import pytest
from scipy.stats import binom, kstest

from lgd_tools.synthetic.generate_clips import render_clip
from lgd_tools.synthetic.motion import MOTION_CLASSES, motion_path
from lgd_tools.synthetic.relation import (
    COLOUR_FRAMES,
    LOOKS,
    MOTIONS,
    RELATION_CLASSES,
    RELATION_FAMILIES,
    colour_sequence,
    relation_factors,
    render_relation,
    rooms,
)
from lgd_tools.synthetic.tasks import clip_seed

# Two-sided; some 30 classifiers are judged.
CONFIDENCE = 1 - 1e-4
NOTHING = 1e-4


def clips_of(task, classes, split, count, **kwargs):
    """Clips (N, T, H, W, 3) and labels (N,), the seeds as in a data set."""
    pairs = list(product(range(count), range(len(classes))))
    clips = [
        render_clip(
            task, classes[label], seed=clip_seed(7, split, index), **kwargs
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
    names = ('right', 'left'), ('down', 'up'), MOTION_CLASSES[4:6]
    names = (*names, MOTION_CLASSES[6:8])
    return names[axis][int(total[axis] < 0)]


@pytest.mark.parametrize('content', ['scene', 'object'])
def test_opposite_motion_is_the_same_frames_in_reverse(content):
    for one, other in zip(
        MOTION_CLASSES[::2], MOTION_CLASSES[1::2], strict=True
    ):
        a, b = (
            render_clip('motion', c, (50, 64), 8, 3, content)
            for c in (one, other)
        )
        assert np.array_equal(a, b[::-1])
        assert not np.array_equal(a, b)


@pytest.mark.parametrize('content', ['scene', 'object', 'mixed'])
def test_middle_frame_is_the_same_picture_for_every_motion(content):
    for seed in range(3):
        stills = [
            render_clip('motion', c, (48, 48), 5, seed, content)[2]
            for c in MOTION_CLASSES
        ]
        assert all(np.array_equal(stills[0], still) for still in stills)


def test_position_angle_and_zoom_are_uniform_at_every_time():
    periods = np.array([64, 48, 2 * np.pi, 1])
    for label in MOTION_CLASSES:
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
    train, y = clips_of('motion', MOTION_CLASSES, 'train', 32, **kwargs)
    test, y_test = clips_of('motion', MOTION_CLASSES, 'val', 32, **kwargs)
    for t in (0, 7):
        found = scores(
            still_features(train[:, t]),
            y,
            still_features(test[:, t]),
            y_test,
            len(MOTION_CLASSES),
        )
        assert_chance(found, len(y_test), len(MOTION_CLASSES))
    read = np.array([MOTION_CLASSES.index(read_motion(c)) for c in test])
    right = read == y_test
    print('oracle', np.mean(right))
    assert np.mean(right) > 0.97


@pytest.mark.slow
def test_single_frame_of_a_moving_object_stays_at_chance():
    kwargs = {
        'size': (40, 40),
        'frames': 6,
        'content': 'object',
        'speed': 2.5,
    }
    train, y = clips_of('motion', MOTION_CLASSES, 'train', 24, **kwargs)
    test, y_test = clips_of('motion', MOTION_CLASSES, 'val', 24, **kwargs)
    found = scores(
        still_features(train[:, -1]), y, still_features(test[:, -1]), y_test, 8
    )
    assert_chance(found, len(y_test), 8)


def test_the_single_frame_baseline_can_see_what_is_in_a_frame():
    # Else 'at chance' would say nothing: scene or object is in every frame.
    sides = []
    for split in ('train', 'val'):
        stills = [
            render_clip('motion', 'up', (48, 48), 2, seed, content)[0]
            for seed in (clip_seed(1, split, i) for i in range(30))
            for content in ('scene', 'object')
        ]
        sides += [still_features(np.array(stills)), np.arange(60) % 2]
    found = scores(*sides, 2)
    assert max(found.values()) > 0.9, found


# ------------------------------------------------------------------- relation
def joint_features(frames, size):
    """Still features, and the joint colours and places in the two rooms."""
    features = still_features(frames)
    seen = []
    for frame in frames:
        parts = []
        for rows, cols in rooms(size):
            room = frame[rows, cols].astype(float)
            tint = room - room.mean(-1, keepdims=True)
            parts.append(np.abs(tint).sum((0, 1)) + tint.sum((0, 1)))
        a, b = (part / np.linalg.norm(part) for part in parts)
        seen.append(np.concatenate([a, b, np.outer(a, b).ravel()]))
    features['both colours'] = np.array(seen)
    return features


def read_object(room):
    """Oracle: motion and look of one object from its room (T, s, s, 3)."""
    room = room.astype(float)
    tint = room - room.mean(-1, keepdims=True)
    mass = np.abs(tint).sum(-1)
    mass[mass < 40] = 0
    wave = np.exp(2j * np.pi * np.arange(room.shape[1]) / room.shape[1])
    along = [mass.sum(1) @ wave, mass.sum(2) @ wave]  # x, y on the torus
    dx, dy = (np.angle(z[1:] / z[:-1]).sum() for z in along)
    if abs(dx) > abs(dy):
        motion = 'right' if dx > 0 else 'left'
    else:
        motion = 'down' if dy > 0 else 'up'
    colour = tint.sum((1, 2)).argmax(-1)
    turns = Counter(np.diff(colour) % 3)
    return MOTIONS.index(motion), int(turns[2] > turns[1])


def test_each_object_is_uniform_given_the_label():
    everything = list(product(range(len(MOTIONS)), range(len(LOOKS))))
    for start in (0, clip_seed(5, 'train', 0), clip_seed(5, 'val', 0)):
        for label in sum(RELATION_FAMILIES, ()):
            seen = [relation_factors(label, start + i) for i in range(96)]
            for number in (0, 1):
                count = Counter(
                    (f.motions[number], f.looks[number]) for f in seen
                )
                assert count == dict.fromkeys(everything, 96 // 8), label
            for factors in seen:
                same = factors.motions[0] == factors.motions[1]
                if 'motion' in label:
                    assert same == ('same_motion' in label)
                same = factors.looks[0] == factors.looks[1]
                if 'look' in label:
                    assert same == ('same_look' in label)
    # Every allowed combination equally often, in any 24 clips in a row.
    for label in RELATION_CLASSES:
        count = Counter(relation_factors(label, i) for i in range(100, 124))
        assert len(set(count.values())) == 1
        assert len(count) == (8 if 'same_motion' in label else 24)


def test_what_is_free_is_balanced():
    for label, part in (('same_motion', 'looks'), ('same_look', 'motions')):
        count = Counter(
            getattr(relation_factors(label, i), part) for i in range(96)
        )
        levels = len(LOOKS) if part == 'looks' else len(MOTIONS)
        assert len(count) == levels**2
        assert set(count.values()) == {96 // levels**2}


def test_two_colours_of_a_frame_are_independent_given_the_label():
    period = 3 * COLOUR_FRAMES
    sequence = {
        (look, phase): colour_sequence(look, phase, 16)
        for look in range(2)
        for phase in range(period)
    }
    for label in RELATION_CLASSES:
        looks = [relation_factors(label, i).looks for i in range(24)]
        for t in range(16):
            count = Counter(
                (sequence[a, p][t], sequence[b, q][t])
                for (a, b), p, q in product(
                    looks, range(period), range(period)
                )
            )
            assert len(count) == 9
            assert set(count.values()) == {24 * period**2 // 9}, (label, t)


@pytest.mark.parametrize('size', [(112, 112), (64, 120), (97, 61)])
def test_objects_stay_in_rooms_that_are_far_apart(size):
    clip = render_relation('different_motion_same_look', size, 12, 4)
    changing = (clip != clip[0]).any((0, 3))
    for rows, cols in rooms(size):
        assert changing[rows, cols].mean() > 0.2
        changing[rows, cols] = False
    assert not changing.any()
    ends = [room[int(size[1] >= size[0])] for room in rooms(size)]
    assert ends[1].start - ends[0].stop >= 0.28 * max(size)


@pytest.mark.slow
def test_one_frame_or_one_object_stays_at_chance_and_both_objects_do_not():
    size = (56, 112)
    kwargs = {'size': size, 'frames': 10}
    train, y = clips_of('relation', RELATION_CLASSES, 'train', 48, **kwargs)
    test, y_test = clips_of('relation', RELATION_CLASSES, 'val', 48, **kwargs)
    for t in (0, 9):
        found = scores(
            joint_features(train[:, t], size),
            y,
            joint_features(test[:, t], size),
            y_test,
            4,
        )
        assert_chance(found, len(y_test), 4)

    read = []  # [split][object] -> (N, 2)
    for clips in (train, test):
        read.append(
            [
                np.array([read_object(c[:, rows, cols]) for c in clips])
                for rows, cols in rooms(size)
            ]
        )
    for number, (rows, cols) in enumerate(rooms(size)):
        # All frames of one object: its pixels, and what the oracle reads.
        sides = []
        for clips, seen in zip((train, test), read, strict=True):
            pixels = clips[:, ::2, rows, cols][:, :, 2::5, 2::5]
            motion, look = seen[number].T
            sides.append(
                {
                    'pixels': pixels.reshape(len(clips), -1).astype(float),
                    'oracle': np.eye(8)[motion * 2 + look],
                }
            )
        found = scores(sides[0], y, sides[1], y_test, 4)
        assert_chance(found, len(y_test), 4)

    same = np.stack(read[1][0] == read[1][1])
    guess = 3 - (2 * same[:, 0] + same[:, 1])
    print('oracle', (guess == y_test).mean())
    assert (guess == y_test).mean() > 0.98
