"""Bytes that a backbone keeps for its backward pass, computed not run.

The network runs on PyTorch's meta device: shapes without data, so the largest
config takes seconds and no memory, and the numbers hold for every device.
They are the tensors that autograd keeps, in float32; a real step needs a
little more (workspaces, the head, fragmentation).
"""

from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from lgd_tools.cli import make_parser, positive_int, run_main

EXAMPLE = """\
  python tools/benchmarks/activation_memory.py configs/lgd3d_long_k400.py \\
      --batch 2 --frames 128
  python tools/benchmarks/activation_memory.py configs/lgd3d_k400.py"""
GIB = 2**30


class SavedBytes:
    """Counts the bytes of distinct storages that autograd saves."""

    def __init__(self, network: nn.Module) -> None:
        self.own = {self._key(p) for p in network.parameters()}
        self.kept: dict[int, Tensor] = {}  # alive, so that keys stay unique
        self.total = 0

    @staticmethod
    def _key(t: Tensor) -> int:
        return t.untyped_storage()._cdata

    def pack(self, t: Tensor) -> Tensor:
        key = self._key(t)
        if key not in self.own and key not in self.kept:
            self.kept[key] = t
            self.total += t.untyped_storage().nbytes()
        return t


def measure(backbone: dict, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Bytes kept, the most that one residual unit keeps, and parameters."""
    with torch.device('meta'):
        network = MODELS.build({**backbone, 'pretrained': None})
        clips = torch.empty(shape)
    network.train()
    counter = SavedBytes(network)
    units: list[int] = []
    for name in network.res_layers:
        for unit in getattr(network, name):
            unit.register_forward_pre_hook(
                lambda *_: units.append(-counter.total)
            )
            unit.register_forward_hook(
                lambda *_: units.append(units.pop() + counter.total)
            )
    with torch.autograd.graph.saved_tensors_hooks(counter.pack, lambda t: t):
        network(clips)
    parameters = sum(p.numel() for p in network.parameters())
    return counter.total, max(units), parameters


def main() -> None:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add('config', help='a config with a ResNet3d backbone')
    add('--batch', type=positive_int, default=8, help='clips')
    add('--frames', type=positive_int, default=16)
    add('--size', type=positive_int, default=112, help='pixels')
    args = parser.parse_args()
    backbone = dict(Config.fromfile(args.config).model.backbone)
    init_default_scope('mmaction')
    channels = backbone.get('in_channels', 3)
    shape = (args.batch, channels, args.frames, args.size, args.size)
    plain, largest, parameters = measure({**backbone, 'with_cp': False}, shape)
    saved, _, _ = measure({**backbone, 'with_cp': True}, shape)
    # while a unit is computed again, its own tensors come on top
    again = saved + largest
    print(
        f'{Path(args.config).name}, {" x ".join(map(str, shape))}, float32\n\n'
        '| kept for the backward pass | GiB |\n|---|---|\n'
        f'| without gradient checkpointing | {plain / GIB:.2f} |\n'
        f'| with_cp=True, its peak | {again / GIB:.2f} |\n'
        f'| parameters, gradients and momentum ({parameters / 1e6:.1f} M) | '
        f'{parameters * 12 / GIB:.2f} |'
    )


if __name__ == '__main__':
    run_main(main)
