"""Videos of acting shapes: their tubes in every format, resuming, errors."""

import json
import pickle

import decord
import numpy as np
import pytest
from scipy.io import loadmat

from lgd_mmaction.detection.annotations import load_tubes
from lgd_mmaction.detection.box_table import BoxTable
from lgd_tools.cli import ToolError
from lgd_tools.synthetic.generate_tubes import main
from lgd_tools.synthetic.tube_proposals import make_proposals
from lgd_tools.synthetic.tube_scenes import (
    ACTIONS,
    actor_masks,
    plan_scene,
    render_scene,
)
from lgd_tools.tubes import jhmdb, ucf101_24
from lgd_tools.video import write_video

SIZE = (96, 320)  # wide: x + w leaves uint8


def generate(out, style='jhmdb', frames=(8, 9), size='128x96', seed=0):
    argv = ['--style', style, '--out', out, '--frames', *frames]
    argv += ['--train-per-class', 1, '--test-per-class', 1, '--workers', 1]
    argv += ['--size', size, '--seed', seed]
    assert main([str(word) for word in argv]) == 0
    return load_tubes(out / 'truth_tubes.json')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A small data set of each style, with its truth."""
    root = tmp_path_factory.mktemp('tubes')
    frames = {'jhmdb': (8, 10), 'ucf101_24': (24, 30)}
    return {
        style: (
            root / style,
            generate(root / style, style, frames[style], '320x96', 29),
        )
        for style in frames
    }


def videos_of(annotations):
    """Everything about every video, tubes in an order of their own."""
    return {
        name: (
            video.num_frames,
            video.width,
            video.height,
            sorted((t.label, t.start, t.boxes.tolist()) for t in video.tubes),
        )
        for name, video in annotations.videos.items()
    }


def splits_of(annotations):
    return {
        split: {key: sorted(names) for key, names in subsets.items()}
        for split, subsets in annotations.splits.items()
    }


# ---------------------------------------------------------- annotation formats
@pytest.mark.slow
@pytest.mark.parametrize(
    ('style', 'source'),
    [
        ('jhmdb', '--annotations splits --puppet-masks puppet_mask'),
        ('ucf101_24', '--pyannot pyannot.pkl --test-list testlist01.txt'),
    ],
)
def test_converted_truth_is_the_generators(data, tmp_path, style, source):
    """Exactly, from every format in which the real sets are distributed."""
    root, truth = data[style]
    options = [
        word if word.startswith('--') else str(root / word)
        for word in source.split()
    ]
    if style == 'ucf101_24':
        options += ['--size', '320x96']  # the source does not tell
    module = {'jhmdb': jhmdb, 'ucf101_24': ucf101_24}[style]
    out = tmp_path / 'out'
    code = module.main(
        [*options, '--out', str(out), '--num-classes', '4', '--workers', '1']
        + ['--videos', str(root / 'videos')]
    )
    assert code == 0
    report = (out / f'{style}_tubes_report.txt').read_text()
    assert 'clipped to the picture' not in report
    converted = load_tubes(out / f'{style}_tubes.json')
    assert converted.classes == truth.classes
    assert videos_of(converted) == videos_of(truth)
    assert splits_of(converted) == splits_of(truth)
    assert sum(len(v.tubes) for v in converted.videos.values()) >= 8


def test_truth_file_and_counts(data):
    for style, splits in (('jhmdb', 3), ('ucf101_24', 1)):
        truth = data[style][1]
        assert len(truth.videos) == 8
        assert len(truth.splits) == splits
        for subsets in truth.splits.values():
            assert len(subsets['train']) == len(subsets['test']) == 4
            assert not set(subsets['train']) & set(subsets['test'])
    assert truth.classes == ('Bounce', 'Pulse', 'Spin', 'Sway')
    # as in split 1 of UCF101: groups 1 to 7 are for the test
    assert truth.splits['1'] == {
        'train': [f'{c}/v_{c}_g08_c01' for c in truth.classes],
        'test': [f'{c}/v_{c}_g01_c01' for c in truth.classes],
    }


def test_styles_are_trimmed_and_untrimmed(data):
    for video in data['jhmdb'][1].videos.values():
        (tube,) = video.tubes
        assert (tube.start, tube.stop) == (0, video.num_frames)
    tubes = [
        (len(tube.boxes) / video.num_frames, len(video.tubes))
        for video in data['ucf101_24'][1].videos.values()
        for tube in video.tubes
    ]
    assert {n for _, n in tubes} == {1, 2}
    assert all(0.25 < part < 0.75 for part, _ in tubes)


def test_pyannot_has_the_numbers_of_the_real_file(data):
    path = data['ucf101_24'][0] / 'pyannot.pkl'
    content = pickle.loads(path.read_bytes())
    boxes = [
        tube['boxes'] for v in content.values() for tube in v['annotations']
    ]
    small = [b for b in boxes if b.dtype == np.uint8]
    # cast before adding: some x + w does not fit into uint8
    assert any((b[:, 0] + b[:, 2] < b[:, 0]).any() for b in small)
    assert {b.dtype for b in boxes} == {np.dtype('u1'), np.dtype('u2')}
    assert {type(v['numf']) for v in content.values()} == {np.uint8}


# ---------------------------------------------------------------- the pictures
def test_videos_and_masks_agree(data):
    root, truth = data['jhmdb']
    for name, video in list(truth.videos.items())[:2]:
        reader = decord.VideoReader(str(root / 'videos' / f'{name}.avi'))
        assert len(reader) == video.num_frames
        shown = reader[:].asnumpy()
        assert shown.shape[1:3] == SIZE
        masks = loadmat(root / 'puppet_mask' / name / 'puppet_mask.mat')
        masks = masks['part_mask']
        assert masks.dtype == np.uint8
        assert masks.shape == (*SIZE, video.num_frames)
        for frame, box in enumerate(video.tubes[0].boxes.astype(int)):
            rows, columns = np.nonzero(masks[..., frame])
            assert box.tolist() == [
                columns.min(), rows.min(), columns.max() + 1, rows.max() + 1,
            ]  # fmt: skip
            # the actor stands out from the dim background
            inside = shown[frame][masks[..., frame] > 0].astype(float)
            assert inside.std() > 30


def test_equal_seed_equal_pictures(tmp_path):
    one, two, other = (
        np.stack(list(render_scene(plan_scene('sway', SIZE, 8, (seed,)))))
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, two)
    assert np.abs(one.astype(int) - other).mean() > 5
    path = write_video(tmp_path / 'a.avi', one)
    shown = decord.VideoReader(str(path))[:].asnumpy().astype(int)
    assert np.abs(shown - one).mean() < 6


@pytest.mark.parametrize('action', ACTIONS)
def test_an_action_is_a_motion(action):
    """Only what the action is about moves faster than the drift."""
    scene = plan_scene(
        action, (240, 320), 60, (5,), actors=1, bystanders=1, trimmed=False
    )
    still, actor = scene.shapes
    jerk = {
        'x': np.diff(actor.centre[:, 0], 2),
        'y': np.diff(actor.centre[:, 1], 2),
        'angle': np.diff(actor.angle),
        'radius': np.diff(actor.radius),
    }
    about = dict(bounce='y', sway='x', spin='angle', pulse='radius')[action]
    # second differences reach one frame further than the action
    rest = ~(actor.acting | np.roll(actor.acting, 1))
    for name, change in jerk.items():
        moves = np.abs(change) > 1e-9
        assert moves.any() == (name == about)
        assert not moves[rest[1 : 1 + len(moves)]].any()
    assert not still.acting.any()
    assert np.allclose(np.diff(still.centre, 2, axis=0), 0, atol=1e-9)
    box = actor.boxes(scene.size)
    assert (box[:, :2] > 0).all() and (box[:, 2:] < [320, 240]).all()
    masks = actor_masks(scene)
    assert masks[..., 3].sum() > 0.4 * np.prod(box[3, 2:] - box[3, :2])


# ------------------------------------------------------------------- proposals
def test_proposals_find_everyone(data):
    root, truth = data['ucf101_24']
    table = BoxTable.load(root / 'proposals.npz', 'proposals')
    frames = sum(v.num_frames for v in truth.videos.values())
    assert len(table.frames_frame) == frames
    assert ((table.boxes >= 0) & (table.boxes <= 1)).all()
    found = 0
    for video in truth.videos.values():
        index = table.videos.tolist().index(video.name)
        for tube in video.tubes:
            for frame, box in enumerate(tube.boxes, tube.start):
                here = (table.video == index) & (table.frame == frame)
                boxes = table.boxes[here] * [320, 96, 320, 96]
                best = max((iou(b, box) for b in boxes), default=0)
                found += best > 0.5
    boxes = sum(len(t.boxes) for v in truth.videos.values() for t in v.tubes)
    assert found / boxes > 0.9
    # bystanders and actors at rest are found too
    assert len(table) > 1.3 * boxes


def iou(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = np.prod(np.maximum(high - low, 0))
    area = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])
    return common / (area - common)


def test_proposals_are_seeded_and_as_good_as_they_say():
    box = np.float32([100, 40, 140, 80])
    objects = {'a/b': [np.tile(box, (2000, 1))]}
    table, again, other = (
        make_proposals(objects, (240, 320), seed) for seed in (3, 3, 4)
    )
    for name, value in vars(again).items():
        assert np.array_equal(value, getattr(table, name)), name
    assert not np.array_equal(other.boxes[:9], table.boxes[:9])
    pixels = table.boxes * [320, 240, 320, 240]
    found = (np.abs(pixels - box) < 0.11 * 40).all(1)  # noise ends at 2 sigma
    assert found.sum() == pytest.approx(2000 * 0.95, abs=50)
    assert (pixels[found] - box).std() == pytest.approx(0.05 * 40, rel=0.15)
    assert len(table) - found.sum() == pytest.approx(1000, abs=130)
    assert table.score[found].min() >= 0.6


# ------------------------------------------------------------ resuming, errors
def test_goes_on_where_it_stopped(tmp_path, capsys):
    truth = generate(tmp_path)
    before = {
        path: path.read_bytes()
        for path in sorted(tmp_path.rglob('*'))
        if path.is_file() and path.suffix not in ('.mat', '.npz')
    }
    lost = tmp_path / 'videos' / f'{next(iter(truth.videos))}.avi'
    lost.unlink()
    mask = tmp_path / 'puppet_mask' / lost.parent.name / lost.stem / 'x.mat'
    halves = [p.with_name(f'.{p.name}.1.lgd-part') for p in (lost, mask)]
    for half in halves:
        half.write_bytes(b'half')
    generate(tmp_path)
    assert '1 videos written, 7 kept' in capsys.readouterr().out
    assert not any(half.exists() for half in halves)
    for path, content in before.items():
        assert path.read_bytes() == content, path
    for other in (dict(seed=1), dict(frames=(10, 10))):
        with pytest.raises(ToolError, match='made with other options'):
            generate(tmp_path, **other)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--size', '129x97'], 'even width and height.*129x97'),
        # the remedy can be given as it is: width first, as in --size
        (['--size', '128x64'], '128x64 .* too small.* of 128x96'),
        (['--size', '96x128'], '96x128 .* too small.* of 128x96'),
        (['--frames', '20', '10'], 'smaller number first'),
        (['--frames', '4', '7'], 'at least 8 frames'),
    ],
)
def test_wrong_arguments(tmp_path, options, message):
    with pytest.raises(ToolError, match=message):
        main(['--out', str(tmp_path / 'x'), *options])
    assert not (tmp_path / 'x').exists()


def test_never_writes_into_anothers_folder(tmp_path):
    (tmp_path / 'videos').mkdir()
    with pytest.raises(ToolError, match='did not make'):
        main(['--out', str(tmp_path)])


def test_command_line(tmp_path, capsys):
    code = main(
        ['--style', 'ucf101_24', '--out', str(tmp_path), '--size', '128x96']
        + ['--frames', '8', '8']
        + ['--train-per-class', '1', '--test-per-class', '1']
        + ['--workers', '1']
    )
    assert code == 0
    said = capsys.readouterr().out
    assert '8 videos written, 0 kept; 64 frames' in said
    look = json.loads((tmp_path / 'generate_tubes.json').read_text())
    assert look['size'] == [96, 128] and look['seed'] == 0
    with pytest.raises(SystemExit):
        main(['--help'])
    assert 'generate_tubes.py --style jhmdb' in capsys.readouterr().out
