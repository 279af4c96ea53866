"""Proposals: what is read, what is left out, and that it is counted."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mmengine.logging import MMLogger

from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.detection.proposals import read_proposals
from lgd_mmaction.errors import DataError
from tests.datasets import tiny_tubes as tiny


@pytest.fixture
def log(
    caplog: pytest.LogCaptureFixture,
) -> Iterator[pytest.LogCaptureFixture]:
    """What mmengine's logger says, which it hands to nobody else."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def bad_table() -> BoxTable:
    """Good proposals and one of each kind that cannot be used."""
    table = tiny.proposals(tiny.annotations())
    names = [*table.videos, 'nobody/knows']
    table.videos = np.array(names)
    a = names.index('a/1')
    rows = [  # video, frame, box, score
        (a, 3, [np.nan, 0, 1, 1], 0.5),
        (a, 3, [0, 0, np.inf, 1], 0.5),
        (a, 3, [0, 0, 1, 1], np.nan),
        (a, 3, [0.5, 0.5, 0.5, 0.7], 0.5),
        (a, 3, [0.5, 0.5, 0.4, 0.7], 0.5),
        (a, 3, [1.2, 0, 1.4, 1], 0.5),
        (a, 24, [0, 0, 1, 1], 0.5),
        (a, -1, [0, 0, 1, 1], 0.5),
        (len(names) - 1, 0, [0, 0, 1, 1], 0.5),
        (a, 3, [-0.5, 0, 0.5, 1.25], 0.5),
        (a, 3, [0, 0, 0.5, 1], 0.01),
    ]
    table.video = np.append(table.video, [r[0] for r in rows])
    table.frame = np.append(table.frame, [r[1] for r in rows])
    table.boxes = np.append(table.boxes, np.float32([r[2] for r in rows]), 0)
    table.score = np.append(table.score, np.float32([r[3] for r in rows]))
    return table


def test_bad_proposals_are_dropped_and_counted(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    data = tiny.annotations()
    path = tmp_path / 'p.npz'
    bad_table().save(path)
    found = read_proposals(path, data.subset(1, 'test'), set(data.videos))
    text = log.text
    assert '1 of videos without annotation' in text
    assert '3 not finite' in text
    assert '3 without area inside the frame' in text
    assert '2 in frames that their video does not have' in text
    assert '1 clipped to the frame' in text
    assert 'WARNING' in text
    # of frame 3 the clipped one and the last are left, the best first
    assert np.allclose(found.boxes[found.rows(3)], [[0, 0, 0.5, 1]] * 2)
    assert found.extra['score'][found.rows(3)].tolist() == [
        0.5,
        np.float32(0.01),
    ]
    assert len(found) == 2 * 23 * 2 + 2


def test_frames_that_were_never_looked_at(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    data = tiny.annotations()
    table = tiny.proposals(data)
    table.frames_video = table.frames_video[:-30]
    table.frames_frame = table.frames_frame[:-30]
    table.save(tmp_path / 'p.npz')
    read_proposals(
        tmp_path / 'p.npz', data.subset(1, 'train'), set(data.videos)
    )
    # all of b/3 and 6 frames of b/2
    assert 'never looked at 30 of the 96 frames' in log.text
    # frames of videos that are not asked for, or that nobody knows
    read_proposals(tmp_path / 'p.npz', [data.videos['b/2']], {'b/2'})
    assert 'never looked at 6 of the 24 frames' in log.text


def test_proposals_of_other_videos_or_in_pixels(tmp_path: Path) -> None:
    data = tiny.annotations()
    table = tiny.proposals(data)
    path = tmp_path / 'p.npz'
    table.videos = np.array([f'other/{name}' for name in table.videos])
    table.save(path)
    videos, known = data.subset(1, 'test'), set(data.videos)
    with pytest.raises(DataError, match='no box in any of the 2 videos'):
        read_proposals(path, videos, known)
    table = tiny.proposals(data)
    table.boxes *= np.float32([320, 240, 320, 240])
    table.save(path)
    with pytest.raises(DataError, match='holds boxes in pixels'):
        read_proposals(path, videos, known)
