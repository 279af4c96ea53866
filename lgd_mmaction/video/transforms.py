"""The transforms that read videos: stock keys, frames by our reader.

And the one that unpacks optical flow, which extract_flow.py stores as video.
"""

import os
from collections.abc import Callable, Iterable

import mmcv
import numpy as np
from mmaction.datasets.transforms import DecordDecode, Resize
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from lgd_mmaction.errors import ConfigError, DataError
from lgd_mmaction.video.errors import BrokenVideoError
from lgd_mmaction.video.files import find_file
from lgd_mmaction.video.reader import Size, Video, check_memory

Wanted = Size | Callable[[int, int], Size] | None


class BlackVideo:
    """Keeps the shape of a batch where a video is broken."""

    num_frames = 300
    fps = 30.0
    size = (320, 240)

    def frames(self, indices: Iterable[int], size: Wanted = None):
        width, height = size(*self.size) if callable(size) else self.size
        return np.zeros((len(indices), height, width, 3), np.uint8)

    def close(self) -> None:
        pass


class DecordVideo:
    """What :class:`Video` offers, with the frames that decord gives.

    Opened by path: handed an open file, as by ``DecordInit``, decord ends
    the process on some AVI files that are cut short. Arguments as there.
    """

    def __init__(
        self,
        path: str,
        threads: int,
        memory_limit: int,
        index_cache: str | None = None,  # not used
    ) -> None:
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        self.path = path
        self.memory_limit = memory_limit
        self.size: Size | None = None
        file = find_file(path)
        try:
            self._reader = decord.VideoReader(file, num_threads=threads)
            self.num_frames = len(self._reader)
            self.fps = float(self._reader.get_avg_fps())
        except Exception as error:  # decord has no common base class
            raise self._broken(error) from None
        if self.num_frames < 1:
            raise BrokenVideoError(path, 'it holds no frame')

    def frames(self, indices: Iterable[int], size: Wanted = None):
        """(K, H, W, 3) uint8 RGB, scaled as ``Resize`` does."""
        first, *others = map(int, indices)
        out = [self._one(first)]
        self.size = width, height = out[0].shape[1::-1]
        check_memory(
            self.path, width, height, 1 + len(others), self.memory_limit
        )
        out += map(self._one, others)
        wanted = size(width, height) if callable(size) else size
        if wanted not in (None, self.size):
            out = [mmcv.imresize(frame, wanted) for frame in out]
        return np.stack(out)

    def close(self) -> None:
        self._reader = None

    def _one(self, index: int) -> np.ndarray:
        # Rows are padded: decord takes bytes per row / width for the number
        # of colours, too many for some narrow frames.
        try:
            frame = self._reader[index].asnumpy()
            height, width = frame.shape[:2]
            rows = frame.reshape(height, -1)[:, : 3 * width]
            return rows.reshape(height, width, 3)
        except Exception as error:
            raise self._broken(error) from None

    def _broken(self, error: Exception) -> BrokenVideoError:
        text = ' '.join(str(error).split()).rsplit('.cc:', 1)[-1][:200]
        return BrokenVideoError(
            self.path,
            f'decord cannot read it: damaged, cut short, or no video ({text})',
        )


ENGINES = {'pyav': Video, 'decord': DecordVideo}


@TRANSFORMS.register_module()
class VideoOpen(BaseTransform):
    """Open a video for :class:`VideoDecode`, in place of ``DecordInit``.

    Required keys: ``filename``; optional ``placeholder``: a black video
    instead, and ``index_cache`` of :class:`Video`. Added: ``video_reader``,
    ``total_frames``, ``avg_fps``.

    Args:
        engine: 'pyav', see :class:`Video`, or 'decord' for the pixels of the
            stock pipeline. decord gives other frames than asked for on some
            videos: HEVC with open GOP, AVI with B-frames, transport streams,
            cuts with an edit list.
        threads: Decoding threads.
        memory_limit: MiB that the frames of one clip may take.

    Raises:
        BrokenVideoError: It cannot be opened; the reason is told.
    """

    def __init__(
        self, engine: str = 'pyav', threads: int = 1, memory_limit: int = 4096
    ) -> None:
        if engine not in ENGINES:
            raise ConfigError(
                f'VideoOpen(engine={engine!r}): choose one of '
                f'{", ".join(ENGINES)}'
            )
        self.engine = engine
        self.threads = threads
        self.memory_limit = memory_limit

    def transform(self, results: dict) -> dict:
        if results.get('placeholder'):
            video = BlackVideo()
        else:
            video = ENGINES[self.engine](
                os.fspath(results['filename']),
                threads=self.threads,
                memory_limit=self.memory_limit << 20,
                index_cache=results.get('index_cache'),
            )
        results['video_reader'] = video
        results['total_frames'] = video.num_frames
        results['avg_fps'] = video.fps
        return results


@TRANSFORMS.register_module()
class VideoDecode(DecordDecode):
    """Decode the sampled frames; takes the place of ``DecordDecode``.

    Required keys: ``video_reader`` of :class:`VideoOpen`, ``frame_inds``.
    Added: ``imgs`` (list of (H, W, 3) uint8 RGB), ``original_shape``,
    ``img_shape``; with ``scale`` also ``scale_factor`` and ``keep_ratio``.
    The video is closed.

    Args:
        scale: As ``scale`` of the stock ``Resize``, which it saves: with
            (-1, 120) the shorter side becomes 120, the proportions kept.
            Scaled and converted to RGB in one pass, by FFmpeg's bilinear
            filter, which averages where it makes smaller; cv2's, in
            ``Resize``, leaves pixels out. Measured on six samples of
            Kinetics and UCF101, 16 frames each, to a shorter side of 120:
            the values (0 to 255) differ by 1.6 to 3.1 in the mean, by 95 at
            most; to 224: 1.0 to 1.4, and 70. With ``engine='decord'`` it is
            ``Resize``, bit for bit.

    Raises:
        BrokenVideoError: A frame cannot be decoded; the reason is told.
    """

    def __init__(self, scale: float | tuple[int, int] | None = None) -> None:
        super().__init__()
        self.scale = scale
        self._size = None
        if scale is not None:
            resize = Resize(scale if isinstance(scale, float) else (*scale,))
            self._limits = resize.scale
            self._size = self._scaled

    def _scaled(self, width: int, height: int) -> Size:
        return mmcv.rescale_size((width, height), self._limits)

    def _decord_load_frames(
        self, container: Video, frame_inds: np.ndarray
    ) -> list[np.ndarray]:
        return list(container.frames(np.atleast_1d(frame_inds), self._size))

    def transform(self, results: dict) -> dict:
        video = results['video_reader']
        try:
            results = super().transform(results)
        finally:
            video.close()
        if self.scale is not None:
            shape = video.size[::-1]
            factor = np.divide(results['img_shape'], shape)[::-1]
            results['original_shape'] = shape
            results['scale_factor'] = factor.astype(np.float32)  # x, y
            results['keep_ratio'] = True
        return results


@TRANSFORMS.register_module()
class UnpackFlow(BaseTransform):
    """Turn frames of a packed flow video into two-channel flow pictures.

    The upper half of a frame (2H, W, 3) is flow-x, the lower half flow-y,
    both 8 bit with 20 pixels of motion at 0 and 255; all three colours are
    equal. Stands behind the decoding; from here on everything is as with
    RawFrameDecode and ``modality='Flow'``.

    Required keys: ``imgs``. Modified: ``imgs`` (list of (H, W, 2) uint8, x
    then y), ``img_shape``, ``original_shape``, ``modality``.

    Raises:
        DataError: The frames are those of an ordinary video.
    """

    def transform(self, results: dict) -> dict:
        frames = results['imgs']
        first = frames[0]  # (2H, W, 3)
        half, odd = divmod(len(first), 2)
        if odd or not np.array_equal(first[..., 0], first[..., 2]):
            name = results.get('filename', 'the video')
            raise DataError(
                f'{name} is not a packed flow video: make it with '
                'tools/data/extract_flow.py --store video, or leave '
                'UnpackFlow out of the pipeline'
            )
        results['imgs'] = [
            np.stack([f[:half, :, 0], f[half:, :, 0]], axis=-1) for f in frames
        ]
        shape = half, first.shape[1]
        results['original_shape'] = results['img_shape'] = shape
        results['modality'] = 'Flow'
        return results
