"""Frame i is the i-th frame of a sequential decode, however it is reached."""

import random
from pathlib import Path

import av
import numpy as np
import pytest

from lgd_mmaction.video import BrokenVideoError, Video

CORPUS = Path(__file__).resolve().parents[1] / 'datasets'
KINDS = [
    'odd_videos/av1.mp4',
    'odd_videos/cut_src300.mp4',
    'odd_videos/h264.mp4',
    'odd_videos/h264.ts',
    'odd_videos/hevc.mp4',
    'odd_videos/mpeg4b.avi',
    'odd_videos/nodur.mkv',
    'odd_videos/rot90.mp4',
    'odd_videos/vfr.mp4',
    pytest.param('smoke/flipping_a_pancake.mkv', marks=pytest.mark.slow),
    'smoke/part_0.mp4',
    'smoke/test.avi',
    'smoke/v_BaseballPitch_g01_c01.avi',
]


def sequential(path: Path) -> list[np.ndarray]:
    """All frames as PyAV gives them one after the other, turned."""
    with av.open(str(path)) as container:
        stream = container.streams.best('video')
        return [
            np.rot90(f.to_ndarray(format='rgb24'), round(f.rotation / 90))
            for f in container.decode(stream)
        ]


def requests(count: int) -> list[list[int]]:
    """Single frames, clips of 16, triples, the whole video."""
    rng = random.Random(0)
    single = [[rng.randrange(count)] for _ in range(8)]
    starts = (0, count // 3, count // 2)
    clips = [list(range(s, min(count, s + 16))) for s in starts]
    triples = [sorted(rng.sample(range(count), 3)) for _ in range(4)]
    repeated = [[3, 1, 3]]
    return [*single, *clips, *triples, *repeated, list(range(count))]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('cached', [False, True])
def test_frames_are_those_of_a_sequential_decode(
    shared_data: Path, tmp_path: Path, kind: str, cached: bool
) -> None:
    path = shared_data / kind
    truth = sequential(path)
    options = dict(index_cache=tmp_path) if cached else {}
    Video(path, **options).close()  # fills the cache
    with Video(path, **options) as video:
        assert video.num_frames == len(truth)
        assert video.size == truth[0].shape[1::-1]
        for numbers in requests(len(truth)):
            wanted = np.stack([truth[i] for i in numbers])
            np.testing.assert_array_equal(video.frames(numbers), wanted)


def test_size_scales_what_is_shown(shared_data: Path) -> None:
    with Video(shared_data / 'odd_videos' / 'rot90.mp4') as video:
        assert video.size == (112, 160)
        assert video.frames([5], size=(56, 80)).shape == (1, 80, 56, 3)
        half = video.frames([5], size=lambda w, h: (w // 2, h // 2))
    assert half.shape == (1, 80, 56, 3)


def test_frame_numbers_out_of_range_are_an_error(shared_data: Path) -> None:
    path = shared_data / 'odd_videos' / 'h264.mp4'
    with Video(path) as video, pytest.raises(IndexError, match='not 60'):
        video.frames([60])


@pytest.mark.slow
def test_hostile_files_give_right_frames_or_one_sentence(
    tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(CORPUS))
    from hostile_corpus import BAD, EITHER, GOOD, build

    wrong = []
    for case in build(tmp_path, shared_data / 'smoke'):
        try:
            with Video(case.path) as video:
                frames = video.frames(range(min(video.num_frames, 40)))
        except BrokenVideoError as error:
            assert '\n' not in error.reason
            if case.expect == GOOD:
                wrong.append(f'{case.name}: {error}')
            continue
        if case.expect == BAD:
            wrong.append(f'{case.name}: read')
        elif case.expect == EITHER:
            # B-frames that the cut took are no frames of what is left
            part = case.path if case.path.suffix == '.mkv' else case.whole
            truth = sequential(part)[: len(frames)]
            if not np.array_equal(frames, np.stack(truth)):
                wrong.append(f'{case.name}: other frames')
    assert wrong == []
