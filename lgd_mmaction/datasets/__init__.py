"""What the stock data pipeline lacks."""

from .checked_frames import CheckedFrameDecode
from .robust_video_dataset import RobustRawframeDataset, RobustVideoDataset
from .sample_key_frames import SampleKeyFrames
from .tube_dataset import ActionTubeDataset
from .unpack_flow import UnpackFlow
from .watched_video import WatchedVideoDecode, WatchedVideoInit

__all__ = [
    'ActionTubeDataset',
    'CheckedFrameDecode',
    'RobustRawframeDataset',
    'RobustVideoDataset',
    'SampleKeyFrames',
    'UnpackFlow',
    'WatchedVideoDecode',
    'WatchedVideoInit',
]
