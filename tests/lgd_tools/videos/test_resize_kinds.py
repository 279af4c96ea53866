"""resize_videos on every kind of video: the same frames in plain H.264."""

import av
import numpy as np
import pytest

from lgd_mmaction.video import Video
from lgd_tools.video import VideoFile
from lgd_tools.videos.resize_videos import resize_one
from tests.lgd_tools.videos.numbered import (
    FRAMES,
    KINDS,
    number_of,
    write,
)

OPTIONS = dict(
    short_side=None,
    size=None,
    key_frames=16,
    crf=12,
    preset='veryfast',
    allow_damaged=False,
)


def numbers(path, quarters=0):
    """The numbers in the frames, as a sequential decode shows them."""
    with VideoFile(path) as video:
        shown = [f.to_ndarray() for f in video.frames('rgb24')]
    return [number_of(np.rot90(frame, -quarters)) for frame in shown]


@pytest.mark.parametrize('kind', KINDS)
def test_every_kind_becomes_a_plain_file_with_the_same_frames(tmp_path, kind):
    source, target = write(tmp_path / kind, kind), tmp_path / 'out.mp4'
    result = resize_one(source, target, OPTIONS)
    assert result['frames'] == FRAMES
    assert numbers(target) == list(range(FRAMES))
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.name == 'h264'
    # training, by number and by seeks, sees them too
    with Video(target) as video:
        seen = video.frames([29, 0, 17])
    assert [number_of(frame) for frame in seen] == [29, 0, 17]


ODD = dict.fromkeys(
    ('av1.mp4', 'h264.mp4', 'h264.ts', 'hevc.mp4', 'mpeg4b.avi')
    + ('nodur.mkv', 'rot90.mp4'),
    list(range(60)),
) | {
    'cut_src300.mp4': [*range(83, 159), 160],
    'vfr.mp4': None,  # 28 of 60
}


@pytest.mark.parametrize('name', ODD)
def test_odd_videos_become_plain_ones(shared_data, tmp_path, name):
    source, target = shared_data / 'odd_videos' / name, tmp_path / 'out.mp4'
    result = resize_one(source, target, OPTIONS)
    turned = int(name == 'rot90.mp4')
    assert (result['width'], result['height']) == (
        (112, 160) if turned else (160, 112)
    )
    found = numbers(target, turned)
    assert len(found) == result['frames']
    assert found == (ODD[name] or numbers(source))
    assert ODD[name] or len(found) == 28
