"""Hooks; importing this registers them."""

from .bad_video_hook import BadVideoHook
from .epoch_seed_hook import EpochSeedHook
from .finite_loss_hook import FiniteLossHook
from .preemption_hook import PreemptionHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .two_stage_hook import TwoStageHook

__all__ = [
    'BadVideoHook',
    'EpochSeedHook',
    'FiniteLossHook',
    'PreemptionHook',
    'SafeCheckpointHook',
    'TwoStageHook',
]
