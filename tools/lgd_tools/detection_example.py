"""Detection from end to end on generated videos, in one command.

Generates videos of acting shapes with annotations in the form in which
J-HMDB or UCF101-24 are distributed, converts those, trains a small LGD-3D
detector, tests it, measures frame-mAP and video-mAP beside chance, and draws
true and predicted tubes on the test videos. With --flow also the optical
flow, a second network on it, and both fused.

Each step prints the command that does it by hand. Run again, the script
keeps what is there and goes on where it was interrupted. Everything lies in
OUT: data/, rgb/ and flow/ (trainings, logs, detections.npz), drawn/, and
result.json. The numbers say that everything works, and nothing about real
data.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lgd_tools.cli import (
    ToolError,
    make_parser,
    non_negative_int,
    positive_int,
    write_json,
)

# of a checkout: this file is tools/lgd_tools/detection_example.py
TOOLS = Path(__file__).resolve().parents[1]
ROOT = TOOLS.parent
CONFIGS = {
    'rgb': 'configs/quickstart_tubes_lgd3d.py',
    'flow': 'configs/quickstart_tubes_lgd3d_flow.py',
}
# videos of each class, for training and for the test
COUNTS = {'jhmdb': (30, 5), 'ucf101_24': (10, 2)}
# key frames of a video in an epoch: long videos have more to show
KEY_FRAMES = {'jhmdb': 5, 'ucf101_24': 24}
SMOKE = ['--train-per-class', '1', '--test-per-class', '1', '--classes',
         'bounce', 'pulse', 'spin', 'sway', '--bystanders', '1']  # fmt: skip
SMOKE_FRAMES = {'jhmdb': ['15', '16'], 'ucf101_24': ['20', '24']}


class Example:
    """The steps, each skipped where its result is there."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.out: Path = args.out
        self.data = args.out / 'data'
        self.ann = self.data / f'{args.style}_tubes.json'
        cores = os.cpu_count() or 1
        self.env = dict(
            os.environ,
            LGD_TUBES_DATA=str(self.data),
            LGD_TUBES_ANN=self.ann.name,
            OMP_NUM_THREADS=os.environ.get(
                'OMP_NUM_THREADS', str(min(max(cores - 1, 1), 4))
            ),
            PYTHONPATH=os.pathsep.join(
                filter(None, [str(ROOT), os.environ.get('PYTHONPATH')])
            ),
            PYTHONUNBUFFERED='1',
            PYTHONWARNINGS='ignore',
        )

    # ------------------------------------------------------------- running
    def run(self, command: Sequence[object], log: str = '') -> str:
        """Run a script of tools/; its output, which also goes to a log.

        Raises:
            ToolError: It failed; with its own error, where it gives one.
        """
        words = [str(word) for word in command]
        print(f'   $ python {shlex.join(words)}', flush=True)
        path = self.out / f'{log}.log' if log else None
        lines = []
        with subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
        ) as process:
            sink = path.open('a', encoding='utf-8') if path else None
            try:
                for line in process.stdout:
                    lines.append(line.rstrip('\n'))
                    if sink:
                        sink.write(line)
                    self._show(lines[-1], bool(log))
            finally:
                if sink:
                    sink.close()
        if process.returncode:
            errors = [s for s in lines if s.startswith('error: ')]
            tail = '\n'.join(lines[-15:])
            reason = errors[-1][7:] if errors else f'its last lines:\n{tail}'
            raise ToolError(f'{words[0]} stopped: {reason}')
        return '\n'.join(lines)

    def _show(self, line: str, training: bool) -> None:
        """Of a training only the progress, of other scripts everything."""
        if not training:
            print(f'     {line}', flush=True)
        elif 'Epoch(' in line and ('loss' in line or 'mAP' in line):
            line = line.partition('Epoch')[2]
            keep = [line.partition('  ')[0]] + [
                word
                for word in line.split('  ')[1:]
                if word.startswith(('loss:', 'prec@', 'tube/frame_mAP'))
            ]
            print('     Epoch' + '  '.join(keep), flush=True)

    def step(self, text: str) -> None:
        print(f'\n== {text}', flush=True)

    # --------------------------------------------------------------- steps
    def make_data(self) -> None:
        args, style = self.args, self.args.style
        self.step(f'Generating videos and annotations in the style of {style}')
        train, test = COUNTS[style]
        options: list[object] = ['--train-per-class', train]
        options += ['--test-per-class', test]
        if args.smoke:
            options = [*SMOKE, '--frames', *SMOKE_FRAMES[style]]
        self.run(
            ['tools/data/generate_tubes.py', '--style', style, '--out',
             self.data, '--seed', args.seed, '--workers', args.workers,
             *options]
        )  # fmt: skip
        self.step('Converting the annotations')
        if style == 'jhmdb':
            command = ['tools/data/jhmdb.py', '--annotations',
                       self.data / 'splits', '--puppet-masks',
                       self.data / 'puppet_mask']  # fmt: skip
        else:
            command = ['tools/data/ucf101_24.py', '--pyannot',
                       self.data / 'pyannot.pkl', '--test-list',
                       self.data / 'testlist01.txt']  # fmt: skip
        self.run(
            [*command, '--videos', self.data / 'videos', '--num-classes', 4,
             '--overwrite', '--out', self.data]
        )  # fmt: skip

    def make_flow(self) -> None:
        self.step('Optical flow')
        self.run(
            ['tools/data/extract_flow.py', self.data / 'videos',
             self.data / 'flow', '--method', 'dis', '--short-side', 72,
             '--bound', 5, '--workers', self.args.workers]
        )  # fmt: skip

    def train_and_test(self, stream: str) -> Path:
        """Train one stream and test it; the file of detections."""
        config, work = CONFIGS[stream], self.out / stream
        # the test comes at once
        options: list[object] = [
            f'randomness.seed={self.args.seed}', 'train_cfg.val_begin=99',
        ]  # fmt: skip
        key_frames = KEY_FRAMES[self.args.style]
        if self.args.smoke:
            key_frames = 2
            options += [
                'train_cfg.max_epochs=1', 'train_dataloader.batch_size=4',
                'default_hooks.logger.interval=1',
            ]  # fmt: skip
        options.append(
            f'train_dataloader.dataset.frames_per_video={key_frames}'
        )
        self.step(f'Training on {stream}')
        if (work / 'finished').exists():
            print('   finished in an earlier run: kept')
        else:
            self.run(
                ['tools/train.py', config, '--work-dir', work, '--resume',
                 '--cfg-options', *options],
                log=f'train_{stream}',
            )  # fmt: skip
            (work / 'finished').touch()
        checkpoint = (work / 'last_checkpoint').read_text().strip()
        self.step(f'Testing on {stream}, every frame')
        found = work / 'detections.npz'
        if found.exists():
            print('   tested in an earlier run: kept')
            return found
        options = [f'test_evaluator.out_file={found}']
        if self.args.style == 'ucf101_24':
            options.append('test_evaluator.trimming.level=0.5')
        self.run(
            ['tools/test.py', config, checkpoint, '--work-dir',
             work / 'test', '--cfg-options', *options],
            log=f'test_{stream}',
        )  # fmt: skip
        return found

    def fuse(self, rgb: Path, flow: Path) -> Path:
        self.step('Fusing both streams')
        fused = self.out / 'fused.npz'
        self.run(
            ['tools/analysis/fuse_detections.py', f'rgb={rgb}',
             f'flow={flow}', '--out', fused]
        )  # fmt: skip
        return fused

    def measure(self, files: dict[str, Path]) -> dict[str, dict[str, float]]:
        """Frame- and video-mAP of each file, and of random scores."""
        from lgd_mmaction.detection import TubeProtocol, evaluate_tubes
        from lgd_mmaction.detection.annotations import load_tubes
        from lgd_mmaction.detection.box_table import BoxTable

        truth = load_tubes(self.ann)
        trims = self.args.style == 'ucf101_24'
        protocol = TubeProtocol.from_dicts(trimming={} if trims else None)
        tables = {
            'chance': random_detections(
                BoxTable.load(self.data / 'proposals.npz', 'proposals'),
                {video.name for video in truth.subset(1, 'test')},
                len(truth.classes),
                self.args.seed,
            )
        }
        for name, path in files.items():
            tables[name] = BoxTable.load(path, 'detections')
        return {
            name: evaluate_tubes(table, truth, 1, protocol=protocol).means
            for name, table in tables.items()
        }

    def draw(self, found: Path) -> None:
        self.step('Drawing tubes on the first test video of each class')
        from lgd_mmaction.detection.annotations import load_tubes

        first: dict[str, str] = {}
        for video in load_tubes(self.ann).subset(1, 'test'):
            first.setdefault(video.name.partition('/')[0], video.name)
        trim = ['--trim'] if self.args.style == 'ucf101_24' else []
        self.run(
            ['tools/analysis/draw_tubes.py', '--ann', self.ann,
             '--detections', found, '--videos', self.data / 'videos',
             '--out', self.out / 'drawn', *trim, '--video', *first.values()]
        )  # fmt: skip


def random_detections(proposals, names: set[str], classes: int, seed: int):
    """Chance: the proposals of the test videos with random class scores."""
    import numpy as np

    from lgd_mmaction.detection.box_table import BoxTable

    rng = np.random.default_rng(seed)
    keep = np.flatnonzero(np.isin(proposals.videos, sorted(names)))
    new = np.full(len(proposals.videos), -1)
    new[keep] = np.arange(len(keep))
    rows = new[proposals.video] >= 0
    frames = new[proposals.frames_video] >= 0
    # as a softmax over the classes and the background would give them
    scores = rng.dirichlet(np.ones(classes + 1), rows.sum())[:, :classes]
    return BoxTable(
        videos=proposals.videos[keep],
        video=new[proposals.video[rows]].astype(np.int32),
        frame=proposals.frame[rows],
        boxes=proposals.boxes[rows],
        scores=(scores * proposals.score[rows, None]).astype(np.float32),
        frames_video=new[proposals.frames_video[frames]].astype(np.int32),
        frames_frame=proposals.frames_frame[frames],
    )


def table(result: dict[str, dict[str, float]]) -> str:
    """Rows of per cent, one for each stream."""
    keys = list(next(iter(result.values())))
    wide = max(map(len, keys)) + 2
    lines = [' ' * 8 + ''.join(f'{key:>{wide}}' for key in keys)]
    for name, means in result.items():
        cells = ''.join(f'{100 * means[key]:{wide}.1f}' for key in keys)
        lines.append(f'{name:8}{cells}')
    return '\n'.join(lines)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(
        __doc__,
        '  python tools/run_detection_example.py --style jhmdb\n'
        '  python tools/run_detection_example.py --style ucf101_24 --flow',
    )
    add = parser.add_argument
    add('--style', choices=list(COUNTS), default='jhmdb')
    add(
        '--out',
        type=Path,
        help='folder for everything (default: '
        'work_dirs/detection_example/STYLE)',
    )
    add('--flow', action='store_true', help='two streams, and both fused')
    add('--seed', type=non_negative_int, default=0)
    add('--workers', type=positive_int, default=2, metavar='N')
    add(
        '--smoke',
        action='store_true',
        help='a few frames and one epoch, to see that everything runs; '
        'learns nothing',
    )
    args = parser.parse_args(argv)
    if args.out is None:
        args.out = Path('work_dirs/detection_example', args.style)
        if args.smoke:
            args.out = args.out.with_name(f'{args.style}_smoke')
    args.out = args.out.resolve()
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    start = time.monotonic()
    example = Example(args)
    claim(args)
    example.make_data()
    files = {'rgb': example.train_and_test('rgb')}
    if args.flow:
        example.make_flow()
        files['flow'] = example.train_and_test('flow')
        files['fused'] = example.fuse(files['rgb'], files['flow'])
    result = example.measure(files)
    example.draw(list(files.values())[-1])
    minutes = (time.monotonic() - start) / 60
    example.step(f'Result, after {minutes:.1f} minutes, per cent')
    print(table(result))
    write_json(args.out / 'result.json', result)
    print(f'Pictures: {args.out / "drawn"}')
    return 0


def claim(args: argparse.Namespace) -> None:
    """Refuse a folder of other settings, so that nothing is mixed."""
    mine = args.out / 'settings.json'
    settings = {key: getattr(args, key) for key in ('style', 'seed', 'smoke')}
    if mine.exists():
        try:
            there = json.loads(mine.read_text())
        except ValueError:
            there = None
        if there != settings:
            raise ToolError(
                f'{args.out} was made with other settings ({there}): choose '
                'another folder with --out, or remove it'
            )
    elif args.out.exists() and any(args.out.iterdir()):
        raise ToolError(
            f'{args.out} holds other files: choose an empty or a new folder '
            'with --out'
        )
    write_json(mine, settings)
