"""The transforms that read videos which may be broken."""

import numpy as np
from mmaction.datasets.transforms import DecordDecode, DecordInit
from mmaction.registry import TRANSFORMS

from lgd_mmaction.video.reader import Video

# of the black video that stands in for one that cannot be read
PLACEHOLDER_FRAMES = 300
PLACEHOLDER_FPS = 30.0
PLACEHOLDER_SIZE = (240, 320)  # height, width


class PlaceholderVideo:
    """A black video, to keep the shape of a batch where a video is broken."""

    num_frames = PLACEHOLDER_FRAMES
    fps = PLACEHOLDER_FPS

    def frames(self, inds: np.ndarray) -> np.ndarray:
        return np.zeros((len(inds), *PLACEHOLDER_SIZE, 3), dtype=np.uint8)

    def close(self) -> None:
        pass


@TRANSFORMS.register_module()
class WatchedVideoInit(DecordInit):
    """``DecordInit`` for files that may be broken; opens a :class:`Video`.

    Takes the place of ``DecordInit``, together with
    :class:`WatchedVideoDecode`; what stands between them stays.

    Required keys: ``filename``; optional ``placeholder``: give a black video
    instead. Added: ``video_reader``, ``total_frames``, ``avg_fps``.

    Args:
        num_threads: Decoding threads.
        memory_limit: MiB for the frames of a clip.

    Raises:
        BrokenVideoError: The video cannot be opened; the reason is told.
    """

    def __init__(self, num_threads: int = 1, memory_limit: int = 4096) -> None:
        super().__init__(num_threads=num_threads)
        self.memory_limit = memory_limit

    def transform(self, results: dict) -> dict:
        video = PlaceholderVideo()
        if not results.get('placeholder'):
            video = Video(
                results['filename'], self.num_threads, self.memory_limit << 20
            )
        results['video_reader'] = video
        results['total_frames'] = video.num_frames
        results['avg_fps'] = video.fps
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_threads={self.num_threads}, '
            f'memory_limit={self.memory_limit})'
        )


@TRANSFORMS.register_module()
class WatchedVideoDecode(DecordDecode):
    """``DecordDecode`` behind :class:`WatchedVideoInit`.

    Required keys: ``video_reader``, ``frame_inds``. Added: ``imgs`` (list of
    (H, W, 3) uint8 RGB), ``original_shape``, ``img_shape``.

    Raises:
        BrokenVideoError: A frame cannot be decoded; the reason is told.
    """

    def __init__(self) -> None:
        super().__init__()

    def _decord_load_frames(
        self, container: Video | PlaceholderVideo, frame_inds: np.ndarray
    ) -> list[np.ndarray]:
        frames = list(container.frames(frame_inds))
        container.close()
        return frames
