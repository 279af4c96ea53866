"""A checkpoint into a whole network, or one sentence why not."""

import os

from torch import Tensor, nn

from lgd_mmaction.errors import CheckpointError
from lgd_mmaction.pickles import load_weights


def read_state_dict(path: str | os.PathLike) -> dict[str, Tensor]:
    """The weights in a checkpoint of the runner or a saved state dict.

    Raises:
        CheckpointError: The file is missing or unreadable.
    """
    saved = load_weights(path)
    saved = saved.get('state_dict', saved) if isinstance(saved, dict) else {}
    # of a network that trained under DDP
    return {k.removeprefix('module.'): v for k, v in saved.items()}


def load_all(
    module: nn.Module, state: dict[str, Tensor], source: str, remedy: str
) -> None:
    """Load every weight of a network.

    Args:
        module: The network.
        state: Its weights, no more and no less.
        source: Where they come from, for messages.
        remedy: What to do when they do not fit.

    Raises:
        CheckpointError: A weight is missing, left over or of another shape.
    """
    own = module.state_dict()
    for key in [*own, *state]:
        mine, theirs = own.get(key), state.get(key)
        if mine is None or theirs is None or mine.shape != theirs.shape:
            raise CheckpointError(
                f'{source} does not fit the network: {key} is '
                f'{_shape(theirs)} there and {_shape(mine)} here; {remedy}'
            )
    module.load_state_dict(state)


def _shape(value: Tensor | None) -> str:
    return 'missing' if value is None else str(tuple(value.shape))
