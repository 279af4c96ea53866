"""Sample the clip around a key frame."""

from mmaction.datasets.transforms import SampleAVAFrames
from mmaction.registry import TRANSFORMS

from lgd_mmaction.video.errors import BrokenVideoError


@TRANSFORMS.register_module()
class SampleKeyFrames(SampleAVAFrames):
    """The frames around the key frame, the last ones repeated at the ends.

    Stock SampleAVAFrames without its jitter in training, which draws each
    frame of a clip twice or not at all with ``frame_interval=1``. Around key
    frame t the clip is t - clip_len // 2 * frame_interval, ..., every
    ``frame_interval`` frames, ``clip_len`` of them.

    Args:
        clip_len: T, frames of a clip.
        frame_interval: Frames from one to the next.
        max_missing: A video may lack so many of its annotated frames at its
            end; the last one there is stands in for them.

    Raises:
        BrokenVideoError: The video lacks more frames than that.
    """

    def __init__(
        self, clip_len: int, frame_interval: int = 1, max_missing: int = 0
    ) -> None:
        super().__init__(clip_len, frame_interval, test_mode=True)
        self.max_missing = max_missing

    def transform(self, results: dict) -> dict:
        frames = results['total_frames']
        # flow leads from a frame to the next: one less
        expected = results['num_frames'] - (results['modality'] == 'Flow')
        short = expected - frames
        # a black clip stands in for a video that cannot be read
        if short > self.max_missing and not results.get('placeholder'):
            raise BrokenVideoError(
                results['video_id'],
                f'{frames} frames where its annotation has {expected}; '
                'extract or copy it again, or set SampleKeyFrames.'
                f'max_missing={short} to repeat its last frame',
            )
        return super().transform(results)
