"""J-HMDB annotations -> tubes: real files, every source, videos."""

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from lgd_mmaction.detection.annotations import load_tubes
from lgd_mmaction.errors import LGDError
from lgd_tools.split_files import read_split_files
from lgd_tools.tubes import jhmdb
from tests.lgd_tools.tubes.jhmdb_files import (
    BRUSH,
    CLASSES,
    CLIMB,
    HEIGHT,
    VIDEOS,
    WIDTH,
    act_content,
    convert,
    truth,
    write_act,
    write_boxes,
    write_masks,
    write_splits,
    zipped,
)


# --------------------------------------------------------------- real files
def test_real_split_files(shared_data):
    classes, splits = read_split_files(
        shared_data / 'annotations' / 'jhmdb' / 'splits.zip'
    )
    assert len(classes) == 21 and classes == sorted(classes)
    assert (classes[0], classes[-1]) == ('brush_hair', 'wave')
    counts = {k: (len(v['1']), len(v['2'])) for k, v in splits.items()}
    assert counts == {'1': (660, 268), '2': (658, 270), '3': (663, 265)}
    everything = [set(s['1']) | set(s['2']) for s in splits.values()]
    assert len(everything[0]) == 928
    assert everything[0] == everything[1] == everything[2]


@pytest.mark.slow
def test_real_boxes(tmp_path, shared_data, capsys):
    folder = shared_data / 'annotations' / 'jhmdb'
    archive = folder / 'groundtruths_jhmdb.zip'
    argv = ['--annotations', folder / 'splits.zip', '--boxes', archive]
    argv = [str(a) for a in (*argv, '--out', tmp_path)]
    with pytest.raises(LGDError) as error:
        jhmdb.main(argv)
    assert '176 of 270 test videos of split 2 have no box' in str(error.value)
    assert '--splits' in str(error.value)
    assert not list(tmp_path.iterdir())

    argv += ['--splits', '1']
    assert jhmdb.main(argv) == 1
    out = capsys.readouterr().out
    assert 'left out: no box: 660, first brush_hair/' in out
    assert 'edges as read: x 0..320, y 0..240' in out
    assert out == (tmp_path / 'jhmdb_tubes_report.txt').read_text()
    tubes = load_tubes(tmp_path / 'jhmdb_tubes.json')
    assert {s: list(v) for s, v in tubes.splits.items()} == {
        '1': ['train', 'test']
    }
    assert tubes.splits['1']['train'] == []
    test = tubes.subset(1, 'test')
    assert len(test) == len(tubes.videos) == 268
    assert all(len(video.tubes) == 1 for video in test)
    assert sum(video.num_frames for video in test) == 9126
    assert sum(len(video.tubes[0].boxes) for video in test) == 9126
    assert {(video.width, video.height) for video in test} == {(320, 240)}
    assert {tubes.classes[v.tubes[0].label] for v in test} == {
        v.name.split('/')[0] for v in test
    }
    # every box, against the files as text
    got = {
        f'{v.name.replace("/", "_")}_{v.tubes[0].start + i + 1:05d}': [
            v.tubes[0].label + 1,
            *(box + [1, 1, 0, 0]).tolist(),
        ]
        for v in test
        for i, box in enumerate(v.tubes[0].boxes)
    }
    with zipfile.ZipFile(archive) as file:
        names = [n for n in file.namelist() if n.endswith('.txt')]
        assert len(names) == len(got) == 9126
        for name in names:
            numbers = [float(x) for x in file.read(name).split()]
            assert got[Path(name).stem] == numbers


# ------------------------------------------------------ formats of one truth
@pytest.mark.slow
def test_all_sources_agree(tmp_path, capsys):
    boxes = truth()
    splits = write_splits(tmp_path / 'splits')
    text = write_boxes(tmp_path / 'boxes', boxes)
    masks = write_masks(tmp_path / 'puppet_mask', boxes)
    act = write_act(tmp_path / 'act.pkl', act_content(boxes))
    size = ('--size', f'{WIDTH}x{HEIGHT}')
    sources = {
        'text': ('--annotations', splits, '--boxes', text, *size),
        'text zip': (
            '--annotations',
            zipped(splits),
            '--boxes',
            zipped(text),
            *size,
        ),
        'masks': ('--annotations', splits, '--puppet-masks', masks),
        'mask zip': ('--annotations', splits, '--puppet-masks', zipped(masks)),
        'act': ('--act', act),
    }
    for name, argv in sources.items():
        assert convert(tmp_path / name, *argv) == 0, name
        assert 'nothing was clipped' in capsys.readouterr().out
        path = tmp_path / name / 'jhmdb_tubes.json'
        got = load_tubes(path)
        assert got.dataset == 'jhmdb' and got.classes == CLASSES
        for split in (1, 2):
            for code, subset in ((1, 'train'), (2, 'test')):
                assert got.splits[str(split)][subset] == [
                    n for n in VIDEOS if VIDEOS[n][split] == code
                ]
        assert got.videos.keys() == boxes.keys()
        for key, video in got.videos.items():
            assert video.num_frames == len(boxes[key])
            assert (video.width, video.height) == (WIDTH, HEIGHT)
            [tube] = video.tubes
            assert tube.start == 0
            assert CLASSES[tube.label] == key.split('/')[0]
            assert np.array_equal(tube.boxes, boxes[key]), (name, key)


@pytest.mark.parametrize(
    ('kind', 'shift'),
    [
        ('edges', (1, 1, 0, 0)),
        ('pixels0', (1, 1, 1, 1)),
        ('pixels1', (0, 0, 0, 0)),
    ],
)
def test_coordinates(tmp_path, source, kind, shift):
    boxes = {n: np.tile([5, 4, 9, 8], (len(b), 1)) for n, b in truth().items()}
    assert convert(tmp_path / 'o', *source(boxes), '--coordinates', kind) == 0
    video = load_tubes(tmp_path / 'o' / 'jhmdb_tubes.json').videos[BRUSH]
    assert np.array_equal(video.tubes[0].boxes, boxes[BRUSH] + shift)


# -------------------------------------------------------------- files on disk
def write_video(path: Path, frames: int, size: tuple = (64, 48)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    code = cv2.VideoWriter_fourcc(*'MJPG')
    writer = cv2.VideoWriter(str(path), code, 25, size)
    for _ in range(frames):
        writer.write(np.zeros((*size[::-1], 3), np.uint8))
    writer.release()


def test_videos_are_compared(tmp_path, capsys):
    boxes = truth()
    path = write_act(tmp_path / 'act.pkl', act_content(boxes))
    root = tmp_path / 'videos'
    for name, edges_ in boxes.items():
        size = (WIDTH, HEIGHT) if name == BRUSH else (80, 60)
        write_video(root / f'{name}.avi', len(edges_), size)
    assert convert(tmp_path / 'o', '--act', path, '--videos', root) == 0
    out = capsys.readouterr().out
    assert 'videos of another size than the boxes: 5' in out
    (root / 'catch' / 'b_1.avi').unlink()
    (root / 'climb_stairs' / 'd_3.avi').write_bytes(b'x')
    write_video(root / f'{BRUSH}.avi', 3)
    write_video(root / f'{CLIMB}.avi', 3)
    argv = ('--act', path, '--videos', root)
    assert convert(tmp_path / 'o', *argv) == 1
    out = capsys.readouterr().out
    assert 'videos missing or unreadable: 2, first there is no video' in out
    assert f'than annotated: 2, first {BRUSH}: 3 of 4' in out
    # the annotation stays what it was
    got = load_tubes(tmp_path / 'o' / 'jhmdb_tubes.json')
    assert {n: v.num_frames for n, v in got.videos.items()} == {
        n: len(b) for n, b in boxes.items()
    }


def test_frame_folders(tmp_path, source, capsys):
    """Box files do not tell how long a video is; its pictures do."""
    boxes, root = truth(), tmp_path / 'rawframes'
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for name, edges_ in boxes.items():
        (root / name).mkdir(parents=True)
        for i in range(len(edges_) + 2):
            cv2.imwrite(str(root / name / f'{i + 1:05d}.png'), picture)
    argv = source()
    assert convert(tmp_path / 'o', *argv, '--videos', root) == 0
    got = load_tubes(tmp_path / 'o' / 'jhmdb_tubes.json')
    assert {n: v.num_frames for n, v in got.videos.items()} == {
        n: len(b) + 2 for n, b in boxes.items()
    }
    assert 'taken from the file: 6' in capsys.readouterr().out
    (root / BRUSH / '00002.png').unlink()
    (root / CLIMB / '00001.png').write_bytes(b'x')
    for path in (root / 'catch' / 'b_1').iterdir():
        path.unlink()
    argv += ['--videos', root]
    assert convert(tmp_path / 'o', *argv) == 1
    out = capsys.readouterr().out
    assert 'videos missing or unreadable: 3, first' in out
    with pytest.raises(LGDError, match='folder of videos .* does not exist'):
        convert(tmp_path / 'p', *argv, '--videos', tmp_path / 'none')


# -------------------------------------------------------------- command line
def test_command_line(tmp_path, source, capsys):
    for argv in (
        ['--act', 'x', '--annotations', 'y'],
        ['--boxes', 'x'],
        ['--boxes', 'x', '--act', 'y'],
        ['--annotations', 'x'],
        ['--act', 'x', '--size', '0x5'],
        ['--act', 'x', '--size', '320x'],
    ):
        with pytest.raises(SystemExit) as error:
            convert(tmp_path / 'o', *argv)
        assert error.value.code == 2
    with pytest.raises(SystemExit) as error:
        jhmdb.main(['--help'])
    assert error.value.code == 0
    assert '--puppet-masks puppet_mask.zip' in capsys.readouterr().out
    # a file that cannot be replaced leaves the old one
    argv = source()
    assert convert(tmp_path / 'o', *argv) == 0
    path = tmp_path / 'o' / 'jhmdb_tubes.json'
    before = path.read_bytes()
    (argv[3] / 'catch_b_1_00001.txt').write_text('?')
    with pytest.raises(LGDError):
        convert(tmp_path / 'o', *argv)
    assert path.read_bytes() == before
    assert json.loads(before)['version'] == 1
    names = sorted(p.name for p in path.parent.iterdir())
    assert names == ['jhmdb_tubes.json', 'jhmdb_tubes_report.txt']


def test_every_number_of_a_good_box_is_kept(tmp_path, source):
    rng = np.random.default_rng(1)
    boxes = {name: b.astype(float) for name, b in truth().items()}
    for box in boxes.values():
        box += rng.uniform(0, 0.9, box.shape).round(3) * [1, 1, -1, -1]
        box[:, 2:] = np.maximum(box[:, 2:], box[:, :2] + 0.001)
    assert convert(tmp_path / 'o', *source(boxes)) == 0
    got = load_tubes(tmp_path / 'o' / 'jhmdb_tubes.json')
    for name, video in got.videos.items():
        assert np.abs(video.tubes[0].boxes - boxes[name]).max() < 1e-5
