"""The transforms that read videos through a watched process."""

import numpy as np
from mmaction.datasets.transforms import DecordDecode, DecordInit
from mmaction.registry import TRANSFORMS

from lgd_mmaction.datasets.watched_decoder import shared_decoder

# of the black video that stands in for one that cannot be read
PLACEHOLDER_FRAMES = 300
PLACEHOLDER_FPS = 30.0
PLACEHOLDER_SIZE = (240, 320)  # height, width


class WatchedVideo:
    """A video that another process reads: what pipelines need of decord's.

    Args:
        path: File.
        options: Arguments of :class:`WatchedDecoder`.
    """

    def __init__(self, path: str, options: dict) -> None:
        self.path = path
        self.options = options
        self.total, self.fps = shared_decoder(**options).info(path)

    def __len__(self) -> int:
        return self.total

    def get_avg_fps(self) -> float:
        return self.fps

    def frames(self, inds: np.ndarray, mode: str) -> np.ndarray:
        """(K, H, W, 3) uint8 RGB, see :meth:`WatchedDecoder.frames`."""
        return shared_decoder(**self.options).frames(self.path, inds, mode)


class PlaceholderVideo:
    """A black video, to keep the shape of a batch where a video is broken."""

    def __len__(self) -> int:
        return PLACEHOLDER_FRAMES

    def get_avg_fps(self) -> float:
        return PLACEHOLDER_FPS

    def frames(self, inds: np.ndarray, mode: str) -> np.ndarray:
        return np.zeros((len(inds), *PLACEHOLDER_SIZE, 3), dtype=np.uint8)


@TRANSFORMS.register_module()
class WatchedVideoInit(DecordInit):
    """``DecordInit`` for files that may be broken.

    Opens the video in a child process of this one, so that a file on which
    decord crashes, hangs or leaks costs an error (see
    :class:`WatchedDecoder`). Takes the place of ``DecordInit``, together with
    :class:`WatchedVideoDecode`; what stands between them stays.

    Required keys: ``filename``; optional ``placeholder``: give a black video
    instead. Added: ``video_reader``, ``total_frames``, ``avg_fps``.

    Args:
        num_threads: Threads of decord.
        time_limit: Seconds to open a video, and again to decode a clip.
        memory_limit: MiB for the child, and for the frames of a clip.
        max_reads: Clips after which the child is replaced.
        max_rss: MiB of resident memory at which it is replaced earlier.

    Raises:
        BrokenVideoError: The video cannot be opened; the reason is told.
    """

    def __init__(
        self,
        num_threads: int = 1,
        time_limit: float = 30,
        memory_limit: int = 4096,
        max_reads: int = 1000,
        max_rss: int = 1024,
    ) -> None:
        super().__init__(num_threads=num_threads)
        self.options = dict(
            num_threads=num_threads,
            time_limit=time_limit,
            memory_limit=memory_limit,
            max_reads=max_reads,
            max_rss=max_rss,
        )

    def _get_video_reader(self, filename: str) -> WatchedVideo:
        return WatchedVideo(filename, self.options)

    def transform(self, results: dict) -> dict:
        if not results.get('placeholder'):
            return super().transform(results)
        video = PlaceholderVideo()
        results['video_reader'] = video
        results['total_frames'] = len(video)
        results['avg_fps'] = video.get_avg_fps()
        return results

    def __repr__(self) -> str:
        options = ', '.join(f'{k}={v}' for k, v in self.options.items())
        return f'{type(self).__name__}({options})'


@TRANSFORMS.register_module()
class WatchedVideoDecode(DecordDecode):
    """``DecordDecode`` behind :class:`WatchedVideoInit`.

    Bit for bit the frames of the stock transform. Frames of sizes that
    decord cannot batch (widths of 48 and 72 pixels, and others below 64)
    are read too, and a frame that is asked for twice is decoded once.

    Required keys: ``video_reader``, ``frame_inds``. Added: ``imgs`` (list of
    (H, W, 3) uint8 RGB), ``original_shape``, ``img_shape``.

    Args:
        mode: 'accurate', or 'efficient' for the key frames nearby.

    Raises:
        BrokenVideoError: A frame cannot be decoded; the reason is told.
    """

    def _decord_load_frames(
        self,
        container: WatchedVideo | PlaceholderVideo,
        frame_inds: np.ndarray,
    ) -> list[np.ndarray]:
        return list(container.frames(frame_inds, self.mode))
