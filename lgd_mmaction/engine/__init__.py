"""Hooks and metrics; importing this registers them."""

from lgd_mmaction.engine.accuracy import RobustAccMetric
from lgd_mmaction.engine.bad_video_hook import BadVideoHook
from lgd_mmaction.engine.checkpoint_hook import SafeCheckpointHook
from lgd_mmaction.engine.device_settings_hook import DeviceSettingsHook
from lgd_mmaction.engine.epoch_seed_hook import EpochSeedHook
from lgd_mmaction.engine.finite_loss_hook import FiniteLossHook
from lgd_mmaction.engine.preemption_hook import PreemptionHook
from lgd_mmaction.engine.tube_metric import TubeMetric
from lgd_mmaction.engine.two_stage_hook import TwoStageHook

__all__ = [
    'BadVideoHook',
    'DeviceSettingsHook',
    'EpochSeedHook',
    'FiniteLossHook',
    'PreemptionHook',
    'RobustAccMetric',
    'SafeCheckpointHook',
    'TubeMetric',
    'TwoStageHook',
]
