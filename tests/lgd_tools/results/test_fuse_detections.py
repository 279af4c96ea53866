"""fuse_detections.py: weighted means of the same boxes, or an error."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.errors import LGDError
from lgd_tools.results.fuse_detections import fuse_detections, main


def stream(seed: int, order: list[int] | None = None) -> BoxTable:
    """Three boxes in each of two frames of two videos; scores by seed."""
    boxes = np.random.default_rng(0).random((12, 4)).astype(np.float32)
    scores = np.random.default_rng(seed).random((12, 5)).astype(np.float32)
    video = np.repeat([0, 1], 6).astype(np.int32)
    frame = np.tile(np.repeat([4, 9], 3), 2).astype(np.int32)
    rows = list(range(12)) if order is None else order
    return BoxTable(
        videos=np.array(['a/x', 'b/y']),
        video=video[rows],
        frame=frame[rows],
        boxes=boxes[rows],
        scores=scores[rows],
        frames_video=np.array([0, 0, 1, 1], np.int32),
        frames_frame=np.array([4, 9, 4, 9], np.int32),
    )


def test_weighted_mean_of_the_same_boxes(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    rgb = stream(1)
    # other order of frames, of videos, and boxes a little off
    flow = stream(2, [9, 0, 1, 10, 3, 4, 2, 5, 11, 6, 7, 8])
    flow.videos = flow.videos[::-1].copy()
    flow.video, flow.frames_video = 1 - flow.video, 1 - flow.frames_video
    flow.boxes = flow.boxes + np.float32(3e-5)
    rgb.save(tmp_path / 'rgb.npz')
    flow.save(tmp_path / 'flow.npz')
    argv = [f'{n}={tmp_path / n}.npz' for n in ('rgb', 'flow')]
    out = tmp_path / 'fused.npz'
    assert main([*argv, '--weights', '3', '1', '--out', str(out)]) == 0
    assert 'rgb: weight 0.75' in capsys.readouterr().out
    fused = BoxTable.load(out, 'detections')
    expected = 0.75 * stream(1).scores + 0.25 * stream(2).scores
    np.testing.assert_allclose(fused.scores, expected, atol=1e-7)
    for name in ('videos', 'video', 'frame', 'boxes', 'frames_frame'):
        same = getattr(fused, name) == getattr(rgb, name)
        assert same.all()


def test_twin_boxes_pair_one_to_one() -> None:
    first, second = stream(1), stream(2)
    for table in (first, second):
        table.boxes[1] = table.boxes[0]
    fused = fuse_detections({'a': first, 'b': second})
    both = (first.scores.astype(np.float64) + second.scores) / 2
    np.testing.assert_allclose(fused.scores, both, atol=1e-7)


def test_no_boxes_at_all() -> None:
    none = stream(1, [])
    assert len(fuse_detections({'a': none, 'b': stream(2, [])})) == 0


def test_streams_that_do_not_fit() -> None:
    first = stream(1)
    fewer = stream(2, list(range(11)))
    with pytest.raises(LGDError, match='different boxes in frame 9 of b/y'):
        fuse_detections({'rgb': first, 'flow': fewer})
    moved = stream(2)
    moved.boxes[4, 0] += 0.01
    with pytest.raises(LGDError, match='different boxes in frame 9 of a/x'):
        fuse_detections({'rgb': first, 'flow': moved})
    moved.boxes[4, 0] = np.nan
    with pytest.raises(LGDError, match='different boxes'):
        fuse_detections({'rgb': first, 'flow': moved})
    frames = replace(stream(2), frames_frame=np.array([4, 9, 4, 8], np.int32))
    with pytest.raises(LGDError, match='2 are in one only, first frame 8'):
        fuse_detections({'rgb': first, 'flow': frames})
    classes = replace(stream(2), scores=np.ones((12, 4), np.float32))
    with pytest.raises(LGDError, match='5 and 4 classes'):
        fuse_detections({'rgb': first, 'flow': classes})
    with pytest.raises(LGDError, match='3 weights for 2 streams'):
        fuse_detections({'rgb': first, 'flow': stream(2)}, [1, 1, 1])


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / 'rgb.npz'
    stream(1).save(path)
    out = ['--out', str(tmp_path / 'fused.npz')]
    with pytest.raises(LGDError, match='two files or more'):
        main([str(path), *out])
    with pytest.raises(LGDError, match='the same file'):
        main([f'a={path}', f'b={path}', *out])
    with pytest.raises(LGDError, match='one of the inputs'):
        main([f'a={path}', 'b=other.npz', '--out', str(path)])
    with pytest.raises(LGDError, match='does not exist'):
        main([f'a={path}', f'b={tmp_path}/gone.npz', *out])
