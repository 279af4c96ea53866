"""Time of one training step, networks measured in turn in one run.

Absolute times depend on the machine and on who else uses it; the ratio to the
first config does so much less, because every round times each network once.
Weights and clips are random: nothing is downloaded.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import lgd_mmaction  # noqa: F401  (registers the components)
from lgd_mmaction.models.kernelized_head import KernelizedHead

DEFAULT = [
    'configs/plain_3d_r50_k400.py',
    'configs/lgd3d_r50_k400.py',
    'mmaction::recognition/i3d/'
    'i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py',
    'mmaction::recognition/slowonly/'
    'slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb.py',
]
EXAMPLE = """\
  python tools/benchmarks/bench_train_step.py
  python tools/benchmarks/bench_train_step.py --batch 64 --dtype bf16 \\
      configs/plain_3d_k400.py configs/lgd3d_k400.py
  python tools/benchmarks/bench_train_step.py --frames 3 --size 224 \\
      configs/plain_2d_r50_k400.py configs/lgd2d_r50_k400.py"""
DTYPES = dict(fp32=torch.float32, bf16=torch.bfloat16, fp16=torch.float16)


class Candidate:
    """One network in one stage, with its optimiser.

    Args:
        path: A config; ``mmaction::`` ones of the host too.
        stage: 1 or 2, or None for a head without stages.
        args: The command line.
    """

    def __init__(self, path: str, stage: int | None, args) -> None:
        from mmaction.registry import MODELS
        from mmaction.structures import ActionDataSample

        cfg = load(path)
        cfg.model.backbone.pretrained = None
        self.name = Path(path).stem + (f', stage {stage}' if stage else '')
        self.model = MODELS.build(cfg.model)
        self.model.init_weights()
        if stage:
            self.model.cls_head.set_stage(stage)
        self.model.to(args.device).train()
        self.optimiser = torch.optim.SGD(
            self.model.parameters(), lr=1e-3, momentum=0.9
        )
        shape = (args.batch, 1, 3, args.frames, args.size, args.size)
        self.clips = torch.randn(shape, device=args.device)
        self.samples = [
            ActionDataSample().set_gt_label(i % 400) for i in range(args.batch)
        ]
        self.device, self.dtype = args.device, DTYPES[args.dtype]
        self.times: list[float] = []
        self.memory = 0.0

    def step(self) -> None:
        """Forward, backward and update; keeps the seconds it took."""
        cuda = self.device == 'cuda'
        if cuda:
            torch.cuda.reset_peak_memory_stats()
            torch.cuda.synchronize()
        start = time.perf_counter()
        mixed = self.dtype != torch.float32
        with torch.autocast(self.device, self.dtype, enabled=mixed):
            losses = self.model(self.clips, self.samples, mode='loss')
            loss = sum(v for k, v in losses.items() if 'loss' in k)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        if cuda:
            torch.cuda.synchronize()
            self.memory = torch.cuda.max_memory_allocated() / 2**30
        self.times.append(time.perf_counter() - start)
        if not loss.isfinite():
            raise SystemExit(f'error: the loss of {self.name} is {loss}.')


def load(path: str) -> Config:
    """Read a config, the host's through mmengine's ``pkg::`` scheme."""
    if '::' in path:
        from mmengine.hub import get_config

        return get_config(path)
    return Config.fromfile(path)


def stages_of(path: str) -> tuple:
    head = load(path).model.cls_head.type
    return (1, 2) if head == KernelizedHead.__name__ else (None,)


def table(candidates: list[Candidate], args: argparse.Namespace) -> str:
    """A markdown table of medians, the first line being the reference."""
    first = statistics.median(candidates[0].times)
    lines = [
        '| network | parameters | s / step | min .. max | clips / s | x first'
        ' | peak GPU GiB |',
        '|---|---|---|---|---|---|---|',
    ]
    for c in candidates:
        median = statistics.median(c.times)
        count = sum(p.numel() for p in c.model.parameters()) / 1e6
        memory = f'{c.memory:.1f}' if c.memory else '-'
        lines.append(
            f'| {c.name} | {count:.1f} M | {median:.3f} | '
            f'{min(c.times):.3f} .. {max(c.times):.3f} | '
            f'{args.batch / median:.2f} | {median / first:.2f} | {memory} |'
        )
    return '\n'.join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n\n')[0],
        epilog=f'examples:\n{EXAMPLE}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'configs',
        nargs='*',
        default=DEFAULT,
        help='the first is the reference',
    )
    parser.add_argument('--batch', type=int, default=2, help='clips a step')
    parser.add_argument('--frames', type=int, default=16)
    parser.add_argument('--size', type=int, default=112, help='pixels')
    parser.add_argument('--rounds', type=int, default=5, help='timed steps')
    parser.add_argument('--warmup', type=int, default=1, help='untimed steps')
    parser.add_argument('--dtype', choices=DTYPES, default='fp32')
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    args = parser.parse_args()
    init_default_scope('mmaction')
    torch.manual_seed(0)
    candidates = [
        Candidate(path, stage, args)
        for path in args.configs
        for stage in stages_of(path)
    ]
    for _ in range(args.warmup + args.rounds):
        for candidate in candidates:
            candidate.step()
    for candidate in candidates:
        del candidate.times[: args.warmup]
    name = (
        torch.cuda.get_device_name()
        if args.device == 'cuda'
        else f'CPU, {torch.get_num_threads()} threads'
    )
    print(
        f'{name}, torch {torch.__version__}, {args.dtype}, batch of '
        f'{args.batch} x {args.frames} x {args.size} x {args.size}, median '
        f'of {args.rounds} steps, networks in turn\n'
    )
    print(table(candidates, args))


if __name__ == '__main__':
    main()
