"""Detection from end to end on generated videos, in one command.

Generates videos of acting shapes with annotations in the form in which
J-HMDB or UCF101-24 are distributed, converts those, trains a small LGD-3D
detector, tests it, measures frame-mAP and video-mAP beside chance, and draws
true and predicted tubes on the test videos. With --flow also the optical
flow, a second network on it, and both fused.

Each step is printed with the command that does it by hand. Run again, it
keeps what is there and goes on where it was interrupted. Everything lies in
OUT: data/, rgb/ and flow/ (trainings, logs, detections.npz), drawn/, and
result.json. The numbers say that everything works, and nothing about real
data.
"""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lgd_mmaction.detection import TubeProtocol, evaluate_tubes
from lgd_mmaction.detection.annotations import load_tubes
from lgd_mmaction.detection.box_table import BoxTable
from lgd_tools import example
from lgd_tools.cli import positive_int, write_json
from lgd_tools.example import Step

EXAMPLE = """\
  python tools/run_detection_example.py --style jhmdb
  python tools/run_detection_example.py --style ucf101_24 --flow"""
CONFIGS = {
    'rgb': 'configs/quickstart_tubes_lgd3d.py',
    'flow': 'configs/quickstart_tubes_lgd3d_flow.py',
}
# videos of each class, for training and for the test
COUNTS = {'jhmdb': (30, 5), 'ucf101_24': (10, 2)}
# key frames of a video in an epoch: long videos have more to show
KEY_FRAMES = {'jhmdb': 5, 'ucf101_24': 24}
SMOKE_FRAMES = {'jhmdb': '15 16', 'ucf101_24': '20 24'}
SMOKE = """train_cfg.max_epochs=1 train_dataloader.batch_size=4
default_hooks.logger.interval=1"""


def make_data(args: argparse.Namespace, data: Path) -> Iterator[Step]:
    """Videos, and the annotations in this project's form."""
    style = args.style
    train, test = (1, 1) if args.smoke else COUNTS[style]
    frames = f'--frames {SMOKE_FRAMES[style]}' * args.smoke
    yield Step(
        f'Generating videos and annotations in the style of {style}',
        f'tools/data/generate_tubes.py --style {style} --out {data} '
        f'--seed {args.seed} --workers {args.workers} '
        f'--train-per-class {train} --test-per-class {test} {frames}',
    )
    source = {
        'jhmdb': f'tools/data/jhmdb.py --annotations {data}/splits '
        f'--puppet-masks {data}/puppet_mask',
        'ucf101_24': f'tools/data/ucf101_24.py --pyannot {data}/pyannot.pkl '
        f'--test-list {data}/testlist01.txt',
    }
    yield Step(
        'Converting the annotations',
        f'{source[style]} --videos {data}/videos --num-classes 4 --out {data}',
    )
    if args.flow:
        yield Step(
            'Optical flow',
            f'tools/data/extract_flow.py {data}/videos {data}/flow --method '
            f'dis --short-side 72 --bound 5 --workers {args.workers}',
        )


def train_and_test(args: argparse.Namespace, stream: str) -> Iterator[Step]:
    """One stream."""
    config, work = CONFIGS[stream], args.out / stream
    frames = 2 if args.smoke else KEY_FRAMES[args.style]
    yield Step(
        f'Training on {stream}',
        f'tools/train.py {config} --work-dir {work} --resume --cfg-options '
        f'randomness.seed={args.seed} train_cfg.val_begin=99 '
        f'train_dataloader.dataset.frames_per_video={frames} '
        f'{SMOKE * args.smoke}',
        f'train_{stream}',
    )
    trim = 'test_evaluator.trimming.level=0.5' * (args.style == 'ucf101_24')
    yield Step(
        f'Testing on {stream}, every frame',
        f'tools/test.py {config} {example.last_checkpoint(work)} --work-dir '
        f'{work}/test --cfg-options {trim} '
        f'test_evaluator.out_file={work}/detections.npz',
        f'test_{stream}',
    )


def steps(args: argparse.Namespace, files: dict[str, Path]) -> Iterator[Step]:
    """The commands; the last of the files is drawn."""
    data = args.out / 'data'
    yield from make_data(args, data)
    yield from train_and_test(args, 'rgb')
    if args.flow:
        yield from train_and_test(args, 'flow')
        yield Step(
            'Fusing both streams',
            f'tools/analysis/fuse_detections.py rgb={files["rgb"]} '
            f'flow={files["flow"]} --out {files["fused"]}',
        )
    first: dict[str, str] = {}
    for video in load_tubes(args.annotations).subset(1, 'test'):
        first.setdefault(video.name.partition('/')[0], video.name)
    yield Step(
        'Drawing tubes on the first test video of each class',
        f'tools/analysis/draw_tubes.py --ann {args.annotations} '
        f'--detections {list(files.values())[-1]} --videos {data}/videos '
        f'--out {args.out}/drawn {"--trim" * (args.style == "ucf101_24")} '
        f'--video {" ".join(first.values())}',
    )


def measure(args: argparse.Namespace, files: dict[str, Path]) -> dict:
    """Frame- and video-mAP of random scores, and of each file."""
    truth = load_tubes(args.annotations)
    trimming = {} if args.style == 'ucf101_24' else None
    protocol = TubeProtocol.from_dicts(trimming=trimming)
    boxes = BoxTable.load(args.out / 'data/proposals.npz', 'proposals')
    names = [video.name for video in truth.subset(1, 'test')]
    chance = random_scores(boxes, names, len(truth.classes), args.seed)
    tables = {n: BoxTable.load(p, 'detections') for n, p in files.items()}
    tables = {'chance': chance, **tables}
    return {
        name: evaluate_tubes(table, truth, 1, protocol=protocol).means
        for name, table in tables.items()
    }


def random_scores(
    proposals: BoxTable, names: Sequence[str], classes: int, seed: int
) -> BoxTable:
    """Chance: the proposals of the named videos with random class scores."""
    named = np.isin(proposals.videos, names)
    rows, frames = named[proposals.video], named[proposals.frames_video]
    # as a softmax over the classes and the background would give them
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(classes + 1), rows.sum())[:, :classes]
    return replace(
        proposals,
        video=proposals.video[rows],
        frame=proposals.frame[rows],
        boxes=proposals.boxes[rows],
        score=None,
        scores=(scores * proposals.score[rows, None]).astype(np.float32),
        frames_video=proposals.frames_video[frames],
        frames_frame=proposals.frames_frame[frames],
    )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line; where everything goes is filled in."""
    parser = example.parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add('--style', choices=list(COUNTS), default='jhmdb')
    add('--flow', action='store_true', help='two streams, and both fused')
    add('--workers', type=positive_int, default=2, metavar='N')
    args = parser.parse_args(argv)
    place = f'work_dirs/detection_example/{args.style}{"_smoke" * args.smoke}'
    args.out = args.out or Path(place)
    args.annotations = args.out / 'data' / f'{args.style}_tubes.json'
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    start = time.monotonic()
    os.chdir(example.ROOT)
    settings = {key: vars(args)[key] for key in ('style', 'seed', 'smoke')}
    names = ('data', *CONFIGS, 'drawn', 'fused.npz', 'result.json')
    made = [args.out / name for name in names]
    example.claim(args.out, settings, args.fresh, made)
    files = {'rgb': args.out / 'rgb' / 'detections.npz'}
    if args.flow:
        files['flow'] = args.out / 'flow' / 'detections.npz'
        files['fused'] = args.out / 'fused.npz'
    data, name = args.annotations.parent, args.annotations.name
    env = {'LGD_TUBES_DATA': data, 'LGD_TUBES_ANN': name}
    example.run_steps(steps(args, files), args.out, env)
    result = measure(args, files)
    minutes = (time.monotonic() - start) / 60
    print(f'\n== Result, after {minutes:.1f} minutes, per cent')
    wide = max(map(len, result['rgb'])) + 2
    print(f'{"":8}' + ''.join(f'{key:>{wide}}' for key in result['rgb']))
    for name, means in result.items():
        cells = (f'{100 * value:{wide}.1f}' for value in means.values())
        print(f'{name:8}{"".join(cells)}')
    write_json(args.out / 'result.json', result)
    print(f'Pictures: {args.out / "drawn"}')
    return 0
