"""The errors that this package raises on purpose.

Each message is one sentence that names the thing and the remedy. All derive
from :class:`LGDError`, so that a caller can tell "the input is wrong" from a
defect in the code.
"""


class LGDError(Exception):
    """Base class of every error raised on purpose by lgd_mmaction."""


class ConfigError(LGDError, ValueError):
    """An argument of a component or a config is wrong."""


class DataError(LGDError, ValueError):
    """An annotation file, a video or a data root is missing or unusable."""


class CheckpointError(LGDError, RuntimeError):
    """A checkpoint is unreadable or does not fit the network."""


class TrainingError(LGDError, RuntimeError):
    """Training cannot go on: its loss, gradients or weights are no numbers."""
