"""Hooks; importing this registers them."""

from .epoch_seed_hook import EpochSeedHook
from .two_stage_hook import TwoStageHook

__all__ = ['EpochSeedHook', 'TwoStageHook']
