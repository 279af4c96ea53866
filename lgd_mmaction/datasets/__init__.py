"""What the stock data pipeline lacks."""

from lgd_mmaction.datasets.robust_video_dataset import (
    RobustRawframeDataset,
    RobustVideoDataset,
)
from lgd_mmaction.datasets.sample_key_frames import SampleKeyFrames
from lgd_mmaction.datasets.tube_dataset import ActionTubeDataset
from lgd_mmaction.video.checked_frames import CheckedFrameDecode
from lgd_mmaction.video.transforms import UnpackFlow, VideoDecode, VideoOpen

__all__ = [
    'ActionTubeDataset',
    'CheckedFrameDecode',
    'RobustRawframeDataset',
    'RobustVideoDataset',
    'SampleKeyFrames',
    'UnpackFlow',
    'VideoDecode',
    'VideoOpen',
]
