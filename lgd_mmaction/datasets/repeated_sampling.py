"""Several clips of a video for one opening of it."""

from collections.abc import Sequence

import numpy as np
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import FUNCTIONS

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.video.transforms import VideoDecode, VideoOpen


class RepeatsSampling:
    """Repeated sampling, for a stock video data set.

    A mixin, before the stock class. With ``clips_per_video`` = K > 1 a video
    is opened once, the transforms between ``VideoOpen`` and ``VideoDecode``
    draw K times, all frames are decoded in one pass, and the transforms
    behind augment each clip by itself. The data set then gives a list of K
    samples for an index, which the loader spreads over the batch::

        train_dataloader = dict(
            batch_size=8,  # videos: 32 clips
            collate_fn=dict(type='spread_clips'),
            dataset=dict(clips_per_video=4, ...))

    ``batch_size`` counts videos, and an epoch shows each video K times:
    divide both, and the epochs of the schedule, by K to train as many clips
    in as large batches. The K clips of a video are alike, so the gradient of a
    batch (and its statistics in batch normalization) varies more than that
    of as many clips of different videos, at most as much as that of
    ``batch_size`` clips. Each of the K clips of a replaced video counts as
    one replaced read.

    Args:
        clips_per_video: K of training; 1: the stock data set.

    Raises:
        ConfigError: K > 1 in testing, or for a pipeline without
            ``VideoOpen`` and ``VideoDecode``.

    Source: repeated augmentation, Hoffer et al., CVPR 2020; of videos:
    Feichtenhofer et al., NeurIPS 2022.
    """

    def __init__(self, *args, clips_per_video: int = 1, **kwargs) -> None:
        if clips_per_video < 1:
            raise ConfigError(
                f'clips_per_video={clips_per_video}: use 1 or more'
            )
        self.clips_per_video = clips_per_video
        super().__init__(*args, **kwargs)
        if clips_per_video == 1:
            return
        if self.test_mode:
            raise ConfigError(
                f'clips_per_video={clips_per_video} is for training; for '
                'tests use num_clips of SampleFrames'
            )
        steps = self.pipeline.transforms
        opening, decoding = (
            next((i for i, s in enumerate(steps) if isinstance(s, kind)), -1)
            for kind in (VideoOpen, VideoDecode)
        )
        if not 0 <= opening < decoding:
            raise ConfigError(
                f'clips_per_video={clips_per_video} needs VideoOpen and '
                'VideoDecode in the pipeline'
            )
        self._open = Compose(steps[: opening + 1])
        self._draw = Compose(steps[opening + 1 : decoding])
        self._decode = steps[decoding]
        self._augment = Compose(steps[decoding + 1 :])

    def prepare_data(self, idx: int):
        if self.clips_per_video == 1:
            return super().prepare_data(idx)
        video = self._open(self.get_data_info(idx))
        drawn = [self._draw(dict(video)) for _ in range(self.clips_per_video)]
        numbers = [np.ravel(clip['frame_inds']) for clip in drawn]
        read = self._decode({**video, 'frame_inds': np.hstack(numbers)})
        images = iter(read.pop('imgs'))
        samples = []
        for clip, inds in zip(drawn, numbers, strict=True):
            sampled = {k: v for k, v in clip.items() if k not in video}
            sampled['frame_inds'] = inds
            sampled['imgs'] = [next(images) for _ in inds]
            samples.append(self._augment({**read, **sampled}))
        return samples


@FUNCTIONS.register_module()
def spread_clips(batch: Sequence[list]) -> dict:
    """Collate the lists of :class:`RepeatsSampling`.

    First one clip of each video, then the next one of each: any part of the
    batch holds as many different videos as can be.
    """
    rounds = zip(*batch, strict=True)
    return pseudo_collate([clip for clips in rounds for clip in clips])
