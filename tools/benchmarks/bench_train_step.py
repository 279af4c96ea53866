"""Time of a training or test step, networks measured in turn in one run.

Absolute times depend on the machine and on who else uses it; the ratio to the
first network does so much less, because every round times each network once.
Weights and clips are random: nothing is downloaded. The step is forward,
backward and update (--test: forward), without reading and normalising clips.
"""

import argparse
import json
import re
import statistics
import time
from pathlib import Path

import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

import lgd_mmaction  # noqa: F401  (registers the components)
from lgd_mmaction.engine.device_settings_hook import keep_freed_memory
from lgd_tools import benchmark_counts as counts
from lgd_tools.benchmark_networks import CLASSES, Network, build
from lgd_tools.cli import (
    ToolError,
    make_parser,
    markdown_table,
    positive_int,
    run_main,
)

HOST = 'mmaction::recognition/'
PLAIN = 'configs/plain_3d_r50_k400.py'
DEFAULT = [
    PLAIN,
    'configs/lgd3d_r50_k400.py',
    f'contiguous:{PLAIN}',
    f'stock:{PLAIN}',
    f'{HOST}r2plus1d/r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-rgb.py',
    f'{HOST}i3d/'
    'i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py',
    f'{HOST}slowonly/slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb.py',
    'pytorchvideo:r2plus1d_r50',
    'torchvision:r2plus1d_18',
]
EXAMPLE = """\
  python tools/benchmarks/bench_train_step.py --batch 8
  OMP_WAIT_POLICY=passive python tools/benchmarks/bench_train_step.py \\
      --batch 8 --clock cpu --test
  python tools/benchmarks/bench_train_step.py --frames 3 --size 224 \\
      configs/plain_2d_r50_k400.py configs/lgd2d_r50_k400.py
  # an H100 (an H200: --peak-gbs 4800)
  python tools/benchmarks/bench_train_step.py --device cuda --dtype bf16 \\
      --batch 64 --rounds 20 --peak-tflops 989 --peak-gbs 3350 \\
      --profile work_dirs/profile

torchvision and PyTorchVideo are left out where they are not installed:
  pip install --no-deps torchvision==0.28.0 pytorchvideo fvcore iopath yacs \\
      parameterized portalocker networkx tabulate"""
DTYPES = dict(fp32=torch.float32, bf16=torch.bfloat16, fp16=torch.float16)


class Candidate:
    """One network with its optimiser and clips."""

    def __init__(self, network: Network, args: argparse.Namespace) -> None:
        self.name, self.network, self.args = network.name, network, args
        self.model = network.model.to(args.device).train(not args.test)
        self.parameters = sum(p.numel() for p in self.model.parameters())
        self.optimiser = torch.optim.SGD(
            self.model.parameters(), lr=1e-3, momentum=0.9
        )
        shape = (args.batch, 3, args.frames, args.size, args.size)
        self.clips = torch.randn(shape, device=args.device)
        labels = torch.arange(args.batch, device=args.device)
        self.labels = labels % CLASSES
        self.times: list[float] = []
        # of one clip forward, two operations a multiply-accumulate
        self.gmac = counts.flops(lambda: self.test(self.clips[:1])) / 2e9
        if args.peak_tflops:
            flop_time = counts.flops(self.step) / (args.peak_tflops * 1e12)
            byte_time = counts.traffic(self.step) / (args.peak_gbs * 1e9)
            self.least = max(flop_time, byte_time)
        if args.compile:
            network.backbone.compile()
        for _ in range(args.warmup):
            self.step()
        self.memory = counts.peak_memory(self.step, args.device) / 2**30

    def cast(self) -> torch.autocast:
        dtype = DTYPES[self.args.dtype]
        mixed = dtype != torch.float32
        return torch.autocast(self.args.device, dtype, enabled=mixed)

    @torch.no_grad()
    def test(self, clips: torch.Tensor) -> None:
        """Scores of clips, with batch norm's averages."""
        mode = self.model.training
        self.model.eval()
        with self.cast():
            self.model(clips)
        self.model.train(mode)

    def step(self) -> None:
        """Forward, backward and update; with --test forward alone."""
        if self.args.test:
            return self.test(self.clips)
        with self.cast():
            loss = self.model(self.clips, self.labels)
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        if not loss.isfinite():
            raise ToolError(f'the loss of {self.name} is {loss}')

    def time(self) -> None:
        """Append the seconds of a step, after one in its own memory."""
        clock = dict(wall=time.perf_counter, cpu=time.process_time)
        now = clock[self.args.clock]
        self.step()
        start = now()
        self.step()
        if self.args.device == 'cuda':
            torch.cuda.synchronize()
        self.times.append(now() - start)

    def row(self, first: 'Candidate') -> dict:
        """The numbers of the table, ratios round by round to ``first``."""
        seconds = statistics.median(self.times)
        ratios = sorted(
            a / b for a, b in zip(self.times, first.times, strict=True)
        )
        ratio = statistics.median(ratios)
        row = dict(
            network=self.name,
            parameters_m=self.parameters / 1e6,
            gmac=self.gmac,
            clips_per_s=self.args.batch / seconds,
            time_ratio=ratio,
            time_ratio_min=ratios[0],
            time_ratio_max=ratios[-1],
            time_ratio_per_gmac=ratio * first.gmac / self.gmac,
            step_memory_gib=self.memory,
            times=self.times,
        )
        if self.args.peak_tflops:
            row['roofline_share'] = self.least / seconds
        return row


# ratios are of times, the first network being 1
COLUMNS = {
    'network': '{network}',
    'parameters': '{parameters_m:.1f} M',
    'GMAC / clip': '{gmac:.1f}',
    'clips / s': '{clips_per_s:.2f}',
    'time, x first': '{time_ratio:.2f}',
    'min .. max': '{time_ratio_min:.2f} .. {time_ratio_max:.2f}',
    'time per GMAC, x first': '{time_ratio_per_gmac:.2f}',
    'memory of a step, GiB': '{step_memory_gib:.2f}',
}


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    # fmt: off
    add('networks', nargs='*', default=DEFAULT,
        help='the first is the reference: a config, stock:CONFIG, '
        'pytorchvideo:r2plus1d_r50, torchvision:NAME; channels_last: or '
        'contiguous: before any of them')
    add('--test', action='store_true', help='forward only')
    add('--batch', type=positive_int, default=2, help='clips a step')
    add('--frames', type=positive_int, default=16)
    add('--size', type=positive_int, default=112, help='pixels')
    add('--rounds', type=positive_int, default=5, help='timed steps of each')
    add('--warmup', type=int, default=1, help='untimed steps')
    add('--dtype', choices=DTYPES, default='fp32', help='of autocast')
    add('--channels-last', action=argparse.BooleanOptionalAction,
        help='all networks in channels_last_3d, or none; by default as each '
        'config or library has it')
    add('--compile', action='store_true', help='torch.compile(backbone)')
    cuda = torch.cuda.is_available()
    add('--device', choices=('cpu', 'cuda'), default='cuda' if cuda else 'cpu')
    add('--threads', type=int, help='of the CPU')
    add('--clock', choices=('wall', 'cpu'), default='wall',
        help="cpu: the process's own processor time, of all threads, on a "
        'machine that others use too; set OMP_WAIT_POLICY=passive, else '
        'waiting counts as work')
    add('--peak-tflops', type=float, help="the GPU's, in --dtype")
    add('--peak-gbs', type=float, help="of the GPU's memory, GB/s")
    add('--profile', type=Path, help='folder for a picture of each network')
    add('--json', type=Path, help='file for the numbers')
    # fmt: on
    args = parser.parse_args()
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('--device cuda: torch sees no GPU here')
    if bool(args.peak_tflops) != bool(args.peak_gbs):
        parser.error('--peak-tflops and --peak-gbs belong together')
    return args


def main() -> None:
    args = parse_args()
    if args.device == 'cpu':
        keep_freed_memory()  # as our trainings do
    if args.threads:
        torch.set_num_threads(args.threads)
    init_default_scope('mmaction')
    # mmengine reports the start of every single weight
    MMLogger.get_current_instance().setLevel('ERROR')
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True  # every step has the same shapes
    candidates = []
    for source in args.networks:
        found = build(source, args.channels_last, args.frames, args.size)
        if not found:
            print(f'left out: {source}, its library is not installed')
        candidates += [Candidate(network, args) for network in found]
    for _ in range(args.rounds):
        for candidate in candidates:
            candidate.time()
    rows = [c.row(candidates[0]) for c in candidates]
    machine = (
        torch.cuda.get_device_name()
        if args.device == 'cuda'
        else f'CPU, {torch.get_num_threads()} threads'
    )
    layout = {None: '', True: ', channels-last', False: ', contiguous'}
    print(
        f'{machine}, torch {torch.__version__}, '
        f'{"test" if args.test else "training"} step, {args.dtype}'
        f'{layout[args.channels_last]}{", compiled" * args.compile}, batch '
        f'of {args.batch} x {args.frames} x {args.size} x {args.size}, '
        f'{args.clock} time, median of {args.rounds} rounds, in turn\n'
    )
    columns = dict(COLUMNS)
    if args.peak_tflops:
        columns['share of the roofline'] = '{roofline_share:.0%}'
    cells = [[c.format(**row) for c in columns.values()] for row in rows]
    print(markdown_table([*columns], cells))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))
    if args.profile:
        args.profile.mkdir(parents=True, exist_ok=True)
        for c in candidates:
            name = re.sub(r'\W+', '_', c.name)
            counts.picture(c.step, args.device, str(args.profile / name))


if __name__ == '__main__':
    run_main(main)
