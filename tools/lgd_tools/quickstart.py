"""Action recognition from end to end in a few minutes, without any data.

Generates labelled clips (real mp4 files), trains a small LGD-3D through both
stages with the stock runner of MMAction2, tests the checkpoint and draws
pictures of the result. Every step is printed with the command that does it by
hand. Run again, it keeps what is there and goes on where it was interrupted.
`bash tools/quickstart.sh` does the same, and installs what is missing before.
"""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from zlib import crc32

from lgd_tools import example
from lgd_tools.cli import default_workers
from lgd_tools.example import Step

CONFIG = 'configs/quickstart_lgd3d.py'
SMOKE = """train_cfg.max_epochs=2 custom_hooks.0.switch_epoch=1
train_dataloader.batch_size=4 default_hooks.logger.interval=1"""
EXAMPLE = """\
  bash tools/quickstart.sh
  python tools/run_quickstart.py --smoke  # in this environment"""


def steps(out: Path, data: Path, seed: int, smoke: bool) -> Iterator[Step]:
    """The commands; see the help of each."""
    train, val = (2, 1) if smoke else (80, 20)  # of each of the 8 classes
    yield Step(
        '1/4 Generating clips of 8 kinds of motion, real mp4 files; no '
        'single frame tells the kind',
        f'tools/data/generate_clips.py --out {data} --name quickstart '
        f'--size 64 --seed {seed} --train-per-class {train} --val-per-class '
        f'{val} --workers {default_workers()} --preview',
    )
    yield Step(
        '2/4 Training a small LGD-3D: first loss (5) for the local and the '
        'global path, then loss (6) for the joint classifier',
        f'tools/train.py {CONFIG} --work-dir {out}/train --resume '
        f'--cfg-options randomness.seed={seed} {SMOKE * smoke}',
        'train',
    )
    yield Step(
        '3/4 Testing the checkpoint on clips that were not trained on',
        f'tools/test.py {CONFIG} {example.last_checkpoint(out / "train")} '
        f'--dump {out}/scores.pkl --work-dir {out}/test',
        'test',
    )
    yield Step(
        '4/4 Drawing pictures, and the result',
        f'tools/analysis/report_run.py {out}/train --scores {out}/scores.pkl '
        f'--label-map {data}/label_map.txt --out {out}/report',
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = example.parser(__doc__, EXAMPLE)
    # quickstart.sh heeds it
    parser.add_argument('--no-install', action='store_true',
                        help='use the active environment')  # fmt: skip
    args = parser.parse_args(argv)
    start = time.monotonic()
    place = f'quickstart{"_smoke" * args.smoke}'
    out = args.out or Path('work_dirs', place)
    data = args.out / 'data' if args.out else Path('data', place)
    os.chdir(example.ROOT)
    config = crc32(Path(CONFIG).read_bytes())
    settings = {'seed': args.seed, 'smoke': args.smoke, 'config': config}
    made = [out / name for name in ('train', 'test', 'report', 'scores.pkl')]
    example.claim(out, settings, args.fresh, [*made, data])
    todo = steps(out, data, args.seed, args.smoke)
    example.run_steps(todo, out, {'LGD_QUICKSTART_DATA': data})
    minutes, seconds = divmod(round(time.monotonic() - start), 60)
    print(
        f'\nDone after {minutes} min {seconds} s. These are generated clips: '
        'the number says that everything works, and nothing about real data.'
    )
    return 0
