"""Generate a data set of labelled clips: real H.264 videos, any number.

Two tasks, both made so that no single frame tells the class:

motion    how a textured scene or object moves: left, right, up, down,
          clockwise, counter_clockwise, approaching, receding (clip_motion.py)
relation  whether two distant objects have the same motion and the same look,
          each of which tells nothing by itself (clip_relation.py)

Written, in the layout that VideoDataset reads:

    OUT/videos_train/<class>/<class>_<number>.mp4    OUT/videos_val/...
    OUT/<name>_train_list_videos.txt   lines `path label`, the path relative
    OUT/<name>_val_list_videos.txt     to videos_train or videos_val
    OUT/label_map.txt                  line n names class n
    OUT/generate_clips.json            the parameters

Every class has the same number of clips and the same clip seeds; train and
val share no seed. Interrupted, the command goes on where it stopped when
given again; with larger counts, it adds clips. Train without a horizontal
flip on the motion task: it turns left into right.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lgd_tools.cli import (
    ToolError,
    add_workers,
    make_parser,
    non_negative_int,
    parse_size,
    positive_int,
    progress,
    warn,
    write_lines,
)
from lgd_tools.pictures import write_contact_sheet
from lgd_tools.synthetic.generator_run import claim_folder, make_all
from lgd_tools.synthetic.tasks import (
    SPLITS,
    TASKS,
    check_classes,
    clip_seed,
    default_classes,
    render_clip,
)
from lgd_tools.video import (
    check_crf,
    check_fps,
    check_video_size,
    write_video,
)

MANIFEST = 'generate_clips.json'
# get_batch fails with `from_size == to_size`; of the widths 32, 34 ... 340
# these two only (measured), at any height.
UNREADABLE_WIDTHS = (48, 72)
VERSION = 1  # raise when equal parameters give other pictures


class Summary(NamedTuple):
    """What :func:`generate_dataset` did."""

    written: int  # clips
    kept: int  # clips that were there
    train_list: Path
    val_list: Path
    label_map: Path


def generate_dataset(
    out: str | os.PathLike,
    task: str = 'motion',
    classes: Sequence[str] | None = None,
    train_per_class: int = 40,
    val_per_class: int = 10,
    size: tuple[int, int] = (112, 112),
    frames: int = 16,
    fps: float = 25,
    seed: int = 0,
    content: str = 'scene',
    speed: float = 1.0,
    crf: int = 12,
    name: str | None = None,
    workers: int = 1,
    overwrite: bool = False,
    distance: int | None = None,
) -> Summary:
    """Write a data set of labelled clips; layout in the module's docstring.

    Args:
        out: folder of the data set, made if missing.
        task: 'motion' or 'relation'.
        classes: class names in the order of their labels; None: all.
        train_per_class, val_per_class: clips of each class, 0 or more.
        size: height and width in pixels, even.
        frames, content, speed, distance: as in :func:`render_clip`.
        fps: frames per second of the files.
        seed: data sets of different seeds share no clip.
        crf: H.264 quality, 0 (best) to 51.
        name: start of the list files' names; None: the task.
        workers: processes. With more than one, the calling script needs an
            `if __name__ == '__main__':`, as new processes import it.
        overwrite: remove the clips that this tool made there before.

    Returns:
        Counts and the files written.

    Raises:
        ToolError: an argument is out of range, or `out` holds a data set
            made with other parameters.
    """
    out, name = Path(out), name or task
    if classes is None:
        classes = default_classes(task)
    check_classes(task, classes)
    if len(classes) < 2:
        raise ToolError('one class is no task: name at least 2 classes')
    if min(train_per_class, val_per_class) < 0 or seed < 0 or workers < 1:
        raise ToolError(
            'the clips per class and the seed must be 0 or more, the workers '
            f'1 or more; got {train_per_class}, {val_per_class}, {seed}, '
            f'{workers}'
        )
    if not re.fullmatch(r'[\w.-]+', name):
        raise ToolError(
            f'name {name!r} cannot start a file name: use letters, digits, '
            '"_", "-" and "."'
        )
    check_video_size(size)
    check_crf(crf)
    if size[1] in UNREADABLE_WIDTHS:
        warn(
            f'decord 0.6.0 cannot read several frames at once from a video '
            f'{size[1]} pixels wide: use another width, such as '
            f'{size[1] - 8} or {size[1] + 8}, to train on these clips'
        )
    look = {
        'task': task,
        'size': list(size),
        'frames': frames,
        'seed': seed,
        'content': content,
        'speed': float(speed),
        'fps': str(check_fps(fps)),
        'crf': crf,
        'version': VERSION,
    }
    if distance is not None:
        look['distance'] = distance
    # Says now, not after minutes, what cannot be rendered.
    render_clip(task, classes[0], size, frames, seed, content, speed, distance)
    folders = [f'videos_{split}' for split in SPLITS]
    claim_folder(out / MANIFEST, look, 'clips', folders, overwrite)

    counts = {'train': train_per_class, 'val': val_per_class}
    jobs, kept, lists = [], 0, {}
    for split in SPLITS:
        folder = out / f'videos_{split}'
        folder.mkdir(parents=True, exist_ok=True)
        lines = []
        for index in range(counts[split]):
            for number, label in enumerate(classes):
                path = f'{label}/{label}_{index:05d}.mp4'
                lines.append(f'{path} {number}')
                # A file of this name is whole: write_video renames at last.
                if (folder / path).exists() and not overwrite:
                    kept += 1
                    continue
                render = {
                    'task': task,
                    'label': label,
                    'size': tuple(size),
                    'frames': frames,
                    'seed': clip_seed(seed, split, index),
                    'content': content,
                    'speed': speed,
                    'distance': distance,
                }
                jobs.append((str(folder / path), render, fps, crf))
        lists[split] = lines

    made = make_all(_make_clip, jobs, workers, 'clips')
    for _ in progress(made, f'{task} clips', len(jobs)):
        pass
    write_lines(out / 'label_map.txt', classes)
    files = [
        write_lines(out / f'{name}_{split}_list_videos.txt', lines)
        for split, lines in lists.items()
    ]
    return Summary(len(jobs), kept, *files, out / 'label_map.txt')


def _make_clip(job: tuple[str, dict[str, Any], float, int]) -> None:
    path, render, fps, crf = job
    write_video(path, render_clip(**render), fps=fps, crf=crf)


def parse_classes(task: str, words: Sequence[str]) -> tuple[str, ...]:
    """Names, or one number N for the first N classes of the task."""
    names = default_classes(task)
    if len(words) != 1 or not words[0].isdigit():
        return tuple(words)
    if not 2 <= int(words[0]) <= len(names):
        raise ToolError(
            f'task {task} has {len(names)} classes: ask for 2 to '
            f'{len(names)}, not {words[0]}'
        )
    return names[: int(words[0])]


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = make_parser(
        __doc__,
        '  python tools/data/generate_clips.py --task motion --out '
        'data/motion \\\n      --train-per-class 60 --val-per-class 20 '
        '--preview',
    )
    add = parser.add_argument
    add('--task', choices=TASKS, default='motion')
    add('--out', required=True, help='folder of the data set')
    add(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='names in the order of their labels, or a number N: the first '
        'N (default: all). relation also knows: same_motion '
        'different_motion; same_look different_look',
    )
    add('--train-per-class', type=non_negative_int, default=40, metavar='N')
    add('--val-per-class', type=non_negative_int, default=10, metavar='N')
    add('--size', type=parse_size, default=(112, 112), metavar='WxH')
    add('--frames', type=positive_int, default=16, metavar='T')
    add('--fps', type=float, default=25, help='frames per second')
    add('--seed', type=non_negative_int, default=0)
    add(
        '--content',
        default='scene',
        help='motion: what moves: scene (default), object or mixed',
    )
    add('--speed', type=float, default=1, help='motion: factor on the speed')
    add(
        '--distance',
        type=non_negative_int,
        metavar='PIXELS',
        help='relation: between the two objects (default: all there is)',
    )
    add('--crf', type=int, default=12, help='H.264 quality, 0 best to 51')
    add('--name', help="start of the lists' names (default: the task)")
    add_workers(parser)
    add(
        '--overwrite',
        action='store_true',
        help='remove the clips that are there',
    )
    add(
        '--preview',
        nargs='?',
        const='',
        metavar='PNG',
        help='write a contact sheet, a row per class, a column per time '
        '(default: OUT/preview.png)',
    )
    args = parser.parse_args(argv)
    classes = (
        parse_classes(args.task, args.classes)
        if args.classes
        else default_classes(args.task)
    )
    done = generate_dataset(
        args.out,
        args.task,
        classes=classes,
        train_per_class=args.train_per_class,
        val_per_class=args.val_per_class,
        size=args.size[::-1],
        frames=args.frames,
        fps=args.fps,
        seed=args.seed,
        content=args.content,
        speed=args.speed,
        crf=args.crf,
        name=args.name,
        workers=args.workers,
        overwrite=args.overwrite,
        distance=args.distance,
    )
    print(
        f'{args.out}: {done.written} clips written, {done.kept} kept, '
        f'{len(classes)} classes'
    )
    print(f'lists: {done.train_list} {done.val_list}')
    if args.preview is not None:
        clips = {
            label: render_clip(
                args.task,
                label,
                args.size[::-1],
                args.frames,
                # A clip of its own for every row: rows of equal seed would
                # all show the same middle picture.
                clip_seed(args.seed, 'train', number),
                args.content,
                args.speed,
                args.distance,
            )
            for number, label in enumerate(classes)
        }
        path = args.preview or Path(args.out) / 'preview.png'
        print(f'preview: {write_contact_sheet(path, clips)}')
    return 0
