"""The cache of what only reading a whole file tells."""

from pathlib import Path

import pytest

from lgd_mmaction.datasets import RobustVideoDataset


@pytest.mark.parametrize('off', [False, True])
def test_indices_are_kept_beside_the_lists(
    tmp_path: Path,
    shared_data: Path,
    monkeypatch: pytest.MonkeyPatch,
    off: bool,
) -> None:
    """Of an AVI file, which is read whole once; switched off by ''."""
    if off:
        monkeypatch.setenv('LGD_VIDEO_INDEX', '')
    (tmp_path / 'list.txt').write_text('test.avi 0\n')
    data = RobustVideoDataset(
        ann_file=str(tmp_path / 'list.txt'),
        data_prefix=dict(video=str(shared_data / 'smoke')),
        pipeline=[dict(type='VideoOpen')],
    )
    first, second = data[0], data[0]
    assert first['total_frames'] == second['total_frames'] > 0
    kept = [*(tmp_path / 'video_index').rglob('*.npy')]
    assert len(kept) == (0 if off else 1)
    read = second['video_reader']._index
    assert read == first['video_reader']._index
