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

from lgd_mmaction.detection.annotations import save_tubes
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
from lgd_tools.synthetic.tube_plan import plan_videos, true_tubes
from lgd_tools.synthetic.tube_proposals import make_proposals
from lgd_tools.synthetic.tube_scenes import (
    Scene,
    actor_masks,
    render_scene,
)
from lgd_tools.video import check_video_size, write_video

MANIFEST = 'generate_tubes.json'
VERSION = 1  # raise when equal parameters give other videos
FOLDERS = ('videos', 'puppet_mask', 'splits')
FRAMES = {'jhmdb': (15, 40), 'ucf101_24': (60, 100)}
EXAMPLE = """\
  python tools/data/generate_tubes.py --style jhmdb --out data/jhmdb_generated
  python tools/data/generate_tubes.py --style ucf101_24 \\
      --out data/ucf_generated --train-per-class 10 --test-per-class 3"""


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
