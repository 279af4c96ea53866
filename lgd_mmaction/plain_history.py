"""The logged values in a checkpoint, taken as they are, not computed anew."""

from pickle import UnpicklingError
from typing import Any

from mmengine.logging import HistoryBuffer


class PlainHistory(HistoryBuffer):
    """What ``HistoryBuffer`` becomes while a checkpoint is read.

    mmengine's files fill an empty one with the saved arrays. Its constructor
    would make arrays out of whatever it is given, and lists of one list
    unfold to far more than the file. Filled, it is a HistoryBuffer.
    """

    def __init__(self, *values: Any) -> None:
        raise UnpicklingError(
            'it computes a HistoryBuffer, which no checkpoint of mmengine '
            'does; do not trust this file'
        )

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        self.__class__ = HistoryBuffer
