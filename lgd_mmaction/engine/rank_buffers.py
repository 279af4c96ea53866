"""Running statistics of batch norm, which differ from rank to rank.

mmengine averages them at the end of an epoch. A checkpoint within an epoch
holds those of rank 0 only; the others are kept beside them, so that resuming
there is exact.
"""

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.model import is_model_wrapper
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


class RankBuffers:
    """Gathers the running statistics of all ranks, and gives them back."""

    @staticmethod
    def gather(model: nn.Module) -> list[dict[str, Tensor]]:
        """The statistics of each rank by name; all ranks call it."""
        if is_model_wrapper(model):
            model = model.module
        own = {
            f'{prefix}.{name}': buffer.detach().cpu()
            for prefix, module in model.named_modules()
            if isinstance(module, _NormBase)
            for name, buffer in module.named_buffers(recurse=False)
        }
        return all_gather_object(own)

    @staticmethod
    def take_own(
        state_dict: dict[str, Tensor], buffers: list[dict[str, Tensor]]
    ) -> None:
        """Put this rank's statistics into a state dict, in place.

        With another number of ranks, each gets the mean of all, as at the
        end of an epoch.
        """
        if len(buffers) == get_world_size():
            own = buffers[get_rank()]
        else:
            own = {
                name: torch.stack([b[name].double() for b in buffers])
                .mean(0)
                .to(value.dtype)
                for name, value in buffers[0].items()
            }
        for name, value in own.items():
            if name in state_dict:
                state_dict[name] = value.to(state_dict[name].device)
