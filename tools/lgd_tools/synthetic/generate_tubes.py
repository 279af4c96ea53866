"""Generate a detection data set: moving, acting shapes, with their tubes.

Real avi files at 320x240 and, beside them, annotations in every format in
which the real data sets are distributed, so that converters, training,
metrics and drawings can be tried without any download. Two styles:

jhmdb   trimmed videos of 15 to 40 frames, one actor in all of them

    OUT/videos/<class>/<video>.avi
    OUT/splits/<class>_test_split{1,2,3}.txt
    OUT/groundtruths_jhmdb/<class>_<video>_<frame>.txt     boxes, a file each
    OUT/puppet_mask/<class>/<video>/puppet_mask.mat
    OUT/JHMDB-GT.pkl                                       the ACT detector's

ucf101_24   untrimmed videos of 60 to 100 frames, one or two actors that act
            for part of them

    OUT/videos/<Class>/v_<Class>_g01_c01.avi
    OUT/pyannot.pkl  OUT/trainlist01.txt  OUT/testlist01.txt
    OUT/UCF101v2-GT.pkl

and in both styles

    OUT/truth_tubes.json    the truth, in the format of the converters
    OUT/proposals.npz       boxes of all shapes, as a detector would find them
    OUT/generate_tubes.json the parameters

The actions (bounce, pulse, spin, sway) cannot be told from one frame, nor
who acts: other shapes only drift, and every class has the same scenes.
Interrupted, the command goes on where it stopped when given again. Convert
the result with jhmdb.py or ucf101_24.py.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lgd_tools.cli import (
    ToolError,
    add_workers,
    make_parser,
    non_negative_int,
    parse_size,
    positive_int,
    progress,
    read_text,
)
from lgd_tools.pictures import write_contact_sheet
from lgd_tools.synthetic import tube_formats
from lgd_tools.synthetic.generator_run import claim_folder, make_all
from lgd_tools.synthetic.tube_plan import plan_videos, true_tubes
from lgd_tools.synthetic.tube_scenes import ACTIONS, Scene
from lgd_tools.synthetic.tube_video import (
    actor_masks,
    render_scene,
    write_frames,
)
from lgd_tools.video import check_video_size, write_video

if TYPE_CHECKING:
    from lgd_mmaction.detection.annotations import TubeAnnotations

STYLES = ('jhmdb', 'ucf101_24')
MANIFEST = 'generate_tubes.json'
VERSION = 1  # raise when equal parameters give other videos
_FOLDERS = [
    'videos',
    'rawframes',
    'puppet_mask',
    'splits',
    'groundtruths_jhmdb',
]
_FRAMES = {'jhmdb': (15, 40), 'ucf101_24': (60, 100)}
EXAMPLE = """\
  python tools/data/generate_tubes.py --style jhmdb --out data/jhmdb_generated
  python tools/data/generate_tubes.py --style ucf101_24 \\
      --out data/ucf_generated --train-per-class 10 --test-per-class 3"""


class Summary(NamedTuple):
    """What :func:`generate_tubes` did."""

    written: int  # videos
    kept: int  # videos that were there
    truth: 'TubeAnnotations'


def generate_tubes(
    out: Path,
    style: str = 'jhmdb',
    train_per_class: int = 12,
    test_per_class: int = 4,
    classes: Sequence[str] = ACTIONS,
    size: tuple[int, int] = (240, 320),
    frames: tuple[int, int] | None = None,
    bystanders: int = 1,
    seed: int = 0,
    rawframes: bool = False,
    workers: int = 1,
    overwrite: bool = False,
) -> Summary:
    """Write a data set; layout in the module's docstring.

    Args:
        out: Folder of the data set, made if missing.
        style: 'jhmdb' or 'ucf101_24'.
        train_per_class: Videos of each class in the training set.
        test_per_class: Videos of each class in the test set, 1 or more.
        classes: Actions, some of ACTIONS.
        size: Height and width in pixels, even.
        frames: Shortest and longest video; None: those of the style.
        bystanders: Shapes that do not act, at most, in each video.
        seed: Data sets of different seeds share no video.
        rawframes: Write the frames as pictures too.
        workers: Processes.
        overwrite: Remove what this tool made there before.

    Raises:
        ToolError: An argument is out of range, or `out` holds a data set
            made with other parameters.
    """
    look = {
        'style': style,
        'classes': list(classes),
        'train_per_class': train_per_class,
        'test_per_class': test_per_class,
        'size': list(size),
        'frames': list(frames or _FRAMES[style]),
        'bystanders': bystanders,
        'seed': seed,
        'version': VERSION,
    }
    if sorted({*classes}) != look['classes'] or len(classes) < 2:
        raise ToolError(
            f'the classes {", ".join(classes)} must be at least 2 different '
            'ones in alphabetical order, as in the real data sets'
        )
    if not 8 <= look['frames'][0] <= look['frames'][1]:
        raise ToolError(
            f'videos of {look["frames"][0]} to {look["frames"][1]} frames '
            'cannot be made: use at least 8, the smaller number first'
        )
    check_video_size(tuple(size))
    scenes, splits = plan_videos(**look)
    claim_folder(out / MANIFEST, look, 'videos', _FOLDERS, overwrite)
    truth = true_tubes(style, classes, scenes, splits)
    jobs = []
    for name, scene in scenes.items():
        files = {'video': out / 'videos' / f'{name}.avi'}
        if style == 'jhmdb':
            files['mask'] = out / 'puppet_mask' / name / 'puppet_mask.mat'
        if rawframes:
            files['frames'] = out / 'rawframes' / name
        # each is renamed when complete
        if not all(file.exists() for file in files.values()):
            jobs.append((files, scene))
    made = make_all(_make_video, jobs, workers, 'videos')
    for _ in progress(made, f'{style} videos', len(jobs)):
        pass
    _write_annotations(out, truth, scenes, seed)
    return Summary(len(jobs), len(scenes) - len(jobs), truth)


def _make_video(job: tuple[dict[str, Path], Scene]) -> None:
    files, scene = job
    if 'mask' in files:
        tube_formats.write_puppet_mask(files['mask'], actor_masks(scene))
    frames = list(render_scene(scene))
    if 'frames' in files:
        # as the frames are distributed: J-HMDB's png, UCF101's jpg
        suffix = '.png' if 'mask' in files else '.jpg'
        write_frames(files['frames'], frames, suffix)
    write_video(files['video'], frames, gop=12)


def _write_annotations(
    out: Path, truth: 'TubeAnnotations', scenes: dict[str, Scene], seed: int
) -> None:
    # late, as they import torch
    from lgd_mmaction.detection.annotations import save_tubes
    from lgd_tools.synthetic.tube_proposals import make_proposals

    if truth.dataset == 'jhmdb':
        tube_formats.write_jhmdb_splits(truth, out / 'splits')
        tube_formats.write_jhmdb_boxes(truth, out / 'groundtruths_jhmdb')
        tube_formats.write_act_pickle(truth, out / 'JHMDB-GT.pkl')
    else:
        tube_formats.write_pyannot(truth, out / 'pyannot.pkl')
        tube_formats.write_ucf_lists(truth, out)
        tube_formats.write_act_pickle(truth, out / 'UCF101v2-GT.pkl')
    save_tubes(truth, out / 'truth_tubes.json')
    # a detector finds everyone, whether they act or not
    objects = {
        name: [shape.boxes(scene.size) for shape in scene.shapes]
        for name, scene in scenes.items()
    }
    size = next(iter(scenes.values())).size
    make_proposals(objects, size, seed).save(out / 'proposals.npz')


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add('--style', choices=STYLES, default='jhmdb')
    add('--out', type=Path, required=True, help='folder of the data set')
    add('--classes', nargs='+', default=list(ACTIONS), metavar='NAME')
    add('--train-per-class', type=positive_int, default=12, metavar='N')
    add('--test-per-class', type=positive_int, default=4, metavar='N')
    add('--size', type=parse_size, default=(320, 240), metavar='WxH')
    add(
        '--frames', type=positive_int, nargs=2, metavar=('MIN', 'MAX'),
        help='length of a video (default: that of the style)',
    )  # fmt: skip
    add(
        '--bystanders', type=non_negative_int, default=1, metavar='N',
        help='shapes that do not act, at most, in each video (default: 1)',
    )  # fmt: skip
    add('--seed', type=non_negative_int, default=0)
    add('--rawframes', action='store_true', help='write the frames too')
    add('--overwrite', action='store_true', help='make all of it again')
    add('--preview', action='store_true', help='draw OUT/preview.png')
    add_workers(parser)
    args = parser.parse_args(argv)
    given = {k: v for k, v in vars(args).items() if k != 'preview'}
    given['size'] = args.size[::-1]
    done = generate_tubes(**given)
    videos = done.truth.videos.values()
    print(
        f'{args.out}: {done.written} videos written, {done.kept} kept; '
        f'{sum(v.num_frames for v in videos)} frames, '
        f'{sum(len(v.tubes) for v in videos)} tubes, '
        f'{len(done.truth.classes)} classes'
    )
    if args.preview:
        scenes, _ = plan_videos(**json.loads(read_text(args.out / MANIFEST)))
        # a row of frames for one video of each class
        first = {name.partition('/')[0]: name for name in reversed(scenes)}
        clips = {
            name: np.stack(list(render_scene(scenes[name])))
            for name in reversed(first.values())
        }
        sheet = write_contact_sheet(args.out / 'preview.png', clips)
        print(f'preview: {sheet}')
    return 0
