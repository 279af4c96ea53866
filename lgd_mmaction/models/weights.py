"""A checkpoint into a whole network, or one sentence why not."""

import os
from typing import Any

from torch import Tensor, nn

from lgd_mmaction.errors import CheckpointError
from lgd_mmaction.pickles import load_weights


def weights_in(saved: Any, *nests: str) -> dict[str, Tensor]:
    """The tensors of what a training script saved, by name.

    They are in ``saved[nest]`` where there is such an entry; what stands
    beside them, such as numbers of epochs, is left out.
    """
    for nest in nests:
        if isinstance(saved, dict) and isinstance(saved.get(nest), dict):
            saved = saved[nest]
    items = saved.items() if isinstance(saved, dict) else ()
    return {
        name: value
        for name, value in items
        if isinstance(name, str) and isinstance(value, Tensor)
    }


def read_state_dict(path: str | os.PathLike) -> dict[str, Tensor]:
    """The weights in a checkpoint of the runner or a saved state dict.

    Raises:
        CheckpointError: The file is missing or unreadable.
    """
    state = weights_in(load_weights(path), 'state_dict')
    # of a network that trained under DDP
    return {name.removeprefix('module.'): v for name, v in state.items()}


def load_all(
    module: nn.Module, state: dict[str, Tensor], source: str, remedy: str
) -> None:
    """Load every weight of a network; source and remedy are for messages.

    Raises:
        CheckpointError: A weight is missing, left over or of another shape.
    """
    own = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    new = {k: tuple(v.shape) for k, v in state.items()}
    for key in [*own, *new]:
        mine, theirs = own.get(key, 'missing'), new.get(key, 'missing')
        if mine != theirs:
            raise CheckpointError(
                f'{source} does not fit the network: {key} is {theirs} there '
                f'and {mine} here; {remedy}'
            )
    module.load_state_dict(state)
