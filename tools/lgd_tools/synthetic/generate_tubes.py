"""Generate a detection data set: moving, acting shapes, with their tubes.

Real avi files at 320x240 and, beside them, annotations as the real data sets
are distributed, so that converters, training, metrics and drawings can be
tried without any download. Two styles:

jhmdb   trimmed videos of 15 to 40 frames, one actor in all of them

    OUT/videos/<class>/<video>.avi
    OUT/splits/<class>_test_split{1,2,3}.txt
    OUT/puppet_mask/<class>/<video>/puppet_mask.mat

ucf101_24   untrimmed videos of 60 to 100 frames, one or two actors that act
            for part of them

    OUT/videos/<Class>/v_<Class>_g01_c01.avi
    OUT/pyannot.pkl  OUT/trainlist01.txt  OUT/testlist01.txt

and in both styles

    OUT/truth_tubes.json    the truth, in the format of the converters
    OUT/proposals.npz       boxes of all shapes, as a detector would find them
    OUT/generate_tubes.json the parameters

The actions (bounce, pulse, spin, sway) cannot be told from one frame, nor
who acts: other shapes only drift, and every class has the same scenes.
Interrupted, the command goes on where it stopped when given again. Convert
the result with jhmdb.py or ucf101_24.py.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lgd_mmaction.detection.annotations import (
    Tube,
    TubeAnnotations,
    TubeVideo,
    save_tubes,
)
from lgd_tools.cli import (
    ToolError,
    add_workers,
    make_parser,
    non_negative_int,
    parse_size,
    positive_int,
)
from lgd_tools.synthetic import tube_formats
from lgd_tools.synthetic.generator_run import claim_folder, make_all
from lgd_tools.synthetic.tube_proposals import make_proposals
from lgd_tools.synthetic.tube_scenes import (
    ACTIONS,
    Scene,
    actor_masks,
    plan_scene,
    render_scene,
)
from lgd_tools.video import check_video_size, write_video

MANIFEST = 'generate_tubes.json'
VERSION = 1  # raise when equal parameters give other videos
FOLDERS = ('videos', 'puppet_mask', 'splits')
TEST_GROUPS, GROUPS = 7, 25  # UCF101's split 1 tests groups 1 to 7
FRAMES = {'jhmdb': (15, 40), 'ucf101_24': (60, 100)}
EXAMPLE = """\
  python tools/data/generate_tubes.py --style jhmdb --out data/jhmdb_generated
  python tools/data/generate_tubes.py --style ucf101_24 \\
      --out data/ucf_generated --train-per-class 10 --test-per-class 3"""


def plan_videos(
    style: str,
    train_per_class: int,
    test_per_class: int,
    size: Sequence[int],
    frames: Sequence[int],
    seed: int,
    version: int,
) -> tuple[dict[str, Scene], dict]:
    """Every video's scene by its name, and the names of each split.

    The arguments are those of `generate_tubes`; `version` goes into the
    seeds. J-HMDB's three splits test different videos, UCF101-24 has one.
    """
    trimmed = style == 'jhmdb'
    total = train_per_class + test_per_class
    numbers = ('1', '2', '3') if trimmed else ('1',)
    scenes, splits = {}, {k: {'train': [], 'test': []} for k in numbers}
    for action in ACTIONS:
        names = []
        for index in range(total):
            # the same for every class: a look must not tell the action, or
            # a network learns by heart who does what
            key = (version, seed, index)
            rng = np.random.default_rng([*key, 0])
            length = int(rng.integers(frames[0], frames[1] + 1))
            others, actors = int(rng.integers(0, 2)), int(rng.integers(1, 3))
            if trimmed:
                actors = 1
                name = f'{action}/shapes_{action}_u_nm_np1_fr_med_{index}'
            else:
                others = 1  # who acts must not be told by being alone
                name = _ucf_name(action, index, train_per_class)
            scenes[name] = plan_scene(
                action, tuple(size), length, (*key, 1), actors, others, trimmed
            )
            names.append(name)
        for split, subsets in splits.items():
            # split 1 tests the last videos, 2 and 3 others
            first = total - int(split) * test_per_class
            test = {names[(first + i) % total] for i in range(test_per_class)}
            subsets['train'] += [n for n in names if n not in test]
            subsets['test'] += [n for n in names if n in test]
    return scenes, splits


def _ucf_name(action: str, index: int, train: int) -> str:
    """Groups 8 to 25 train, 1 to 7 test, in turn."""
    if index < train:
        clip, group = divmod(index, GROUPS - TEST_GROUPS)
        group += TEST_GROUPS
    else:
        clip, group = divmod(index - train, TEST_GROUPS)
    action = action.capitalize()
    return f'{action}/v_{action}_g{group + 1:02d}_c{clip + 1:02d}'


def true_tubes(
    style: str, scenes: dict[str, Scene], splits: dict
) -> TubeAnnotations:
    """The annotation that a scene's boxes and actions amount to."""
    videos = {}
    for name, scene in scenes.items():
        (height, width), label = scene.size, ACTIONS.index(scene.action)
        tubes = []
        for shape in scene.shapes:
            when = np.flatnonzero(shape.acting)
            if len(when):
                boxes = shape.boxes(scene.size)[when].astype(np.float32)
                tubes.append(Tube(label, int(when[0]), boxes))
        size = scene.frames, width, height
        videos[name] = TubeVideo(name, *size, tuple(tubes))
    names = [n.capitalize() if style != 'jhmdb' else n for n in ACTIONS]
    return TubeAnnotations(style, tuple(names), splits, videos)


def _make_video(job: tuple[dict[str, Path], Scene]) -> None:
    files, scene = job
    if 'mask' in files:
        tube_formats.write_puppet_mask(files['mask'], actor_masks(scene))
    write_video(files['video'], render_scene(scene), gop=12)


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add('--style', choices=FRAMES, default='jhmdb')
    add('--out', type=Path, required=True, help='folder of the data set')
    add('--train-per-class', type=positive_int, default=12, metavar='N')
    add('--test-per-class', type=positive_int, default=4, metavar='N')
    add('--size', type=parse_size, default=(320, 240), metavar='WxH')
    add('--frames', type=positive_int, nargs=2, metavar=('MIN', 'MAX'),
        help='length of a video (default: that of the style)')  # fmt: skip
    add('--seed', type=non_negative_int, default=0)
    add_workers(parser)
    args = parser.parse_args(argv)
    out, size = args.out, args.size[::-1]
    shortest, longest = args.frames or FRAMES[args.style]
    look = {
        'style': args.style,
        'train_per_class': args.train_per_class,
        'test_per_class': args.test_per_class,
        'size': list(size),
        'frames': [shortest, longest],
        'seed': args.seed,
        'version': VERSION,
    }
    if shortest > longest:
        raise ToolError(
            f'videos of {shortest} to {longest} frames cannot be made: give '
            'the smaller number first'
        )
    check_video_size(size)
    scenes, splits = plan_videos(**look)
    claim_folder(out / MANIFEST, look, [out / name for name in FOLDERS])
    jobs = []
    for name, scene in scenes.items():
        files = {'video': out / 'videos' / f'{name}.avi'}
        if args.style == 'jhmdb':
            files['mask'] = out / 'puppet_mask' / name / 'puppet_mask.mat'
        # each is renamed when complete
        if not all(file.exists() for file in files.values()):
            jobs.append((files, scene))
    make_all(_make_video, jobs, args.workers, 'videos')

    truth = true_tubes(args.style, scenes, splits)
    if args.style == 'jhmdb':
        tube_formats.write_jhmdb_splits(truth, out / 'splits')
    else:
        tube_formats.write_pyannot(truth, out / 'pyannot.pkl')
        tube_formats.write_ucf_lists(truth, out)
    save_tubes(truth, out / 'truth_tubes.json')
    # a detector finds everyone, whether they act or not
    objects = {
        name: [shape.boxes(size) for shape in scene.shapes]
        for name, scene in scenes.items()
    }
    make_proposals(objects, size, args.seed).save(out / 'proposals.npz')
    videos = truth.videos.values()
    print(
        f'{out}: {len(jobs)} videos written, {len(videos) - len(jobs)} kept; '
        f'{sum(v.num_frames for v in videos)} frames, '
        f'{sum(len(v.tubes) for v in videos)} tubes, '
        f'{len(truth.classes)} classes'
    )
    return 0
