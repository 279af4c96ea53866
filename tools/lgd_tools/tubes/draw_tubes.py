"""Draw true and predicted tubes on the video: an mp4 and a contact sheet.

    OUT/<class>/<video>.mp4   every frame, boxes with class and score
    OUT/<class>/<video>.png   a few frames of it at once

True tubes are dashed white, predicted ones solid, each in its own colour;
below the picture a row for each tells its class, score and frames. Predicted
tubes are linked from a file of detections (what the metric of tools/test.py
or fuse_detections.py writes) as video-mAP links them. Small videos are
enlarged so that the text can be read.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from lgd_mmaction.detection.annotations import TubeVideo, load_tubes
from lgd_tools.cli import (
    VIDEO_EXTENSIONS,
    ToolError,
    make_parser,
    open_fraction,
    positive_int,
    progress,
    read_label_map,
    require_dir,
    warn,
    write_text,
)
from lgd_tools.jobs import JobError
from lgd_tools.tubes.pictures import (
    DrawnTube,
    contact_sheet,
    draw_boxes,
    draw_frame,
    draw_legend,
)
from lgd_tools.tubes.selection import Predictions
from lgd_tools.video import VideoFile, write_png, write_video

_FRAME_SUFFIXES = ('.png', '.jpg', '.jpeg')


# ------------------------------------------------------------------- pictures
def find_pictures(folder: Path, name: str) -> Path:
    """The video, or the folder of frames, of a name of the annotations.

    Raises:
        ToolError: There is neither.
    """
    path = folder / name
    if path.is_dir() or path.is_file():
        return path
    for suffix in VIDEO_EXTENSIONS:
        if (found := folder / f'{name}{suffix}').is_file():
            return found
    raise ToolError(
        f'there is no video and no folder of frames {path}: name the folder '
        'that holds <class>/<video>.avi or <class>/<video>/00001.png with '
        '--videos'
    )


def read_pictures(path: Path) -> Iterator[np.ndarray]:
    """Every frame, uint8 (H, W, 3) RGB.

    Raises:
        ToolError: A frame cannot be read.
    """
    if path.is_dir():
        files = sorted(
            f for f in path.iterdir() if f.suffix.lower() in _FRAME_SUFFIXES
        )
        if not files:
            raise ToolError(f'the folder {path} holds no frames: extract them')
        for file in files:
            picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if picture is None:
                raise ToolError(f'{file} is broken: extract the frames again')
            yield picture[..., ::-1]
        return
    try:
        with VideoFile(path, allow_damaged=True) as video:
            for frame in video.frames('rgb24'):
                yield frame.to_ndarray(format='rgb24')
    except JobError as error:
        raise ToolError(
            f'{path}: {error}; check it with tools/data/check_videos.py'
        ) from None


def rate_of(path: Path) -> float:
    """Frames per second; of a folder of frames 25."""
    if path.is_dir():
        return 25.0
    try:
        with VideoFile(path) as video:
            return float(video.rate)
    except JobError as error:
        raise ToolError(f'{path}: {error}') from None


def true_tubes(video: TubeVideo, classes: Sequence[str]) -> list[DrawnTube]:
    """The annotated tubes of a video, to be drawn."""
    size = np.array([video.width, video.height] * 2)
    return [
        DrawnTube(
            classes[tube.label],
            np.arange(tube.start, tube.stop),
            tube.boxes / size,
        )
        for tube in video.tubes
    ]


# -------------------------------------------------------------------- drawing
def draw_video(
    path: Path,
    tubes: Sequence[DrawnTube],
    out: Path,
    title: str,
    total: int,
    cells: int = 8,
    columns: int = 4,
    fps: float | None = None,
    video: bool = True,
) -> int:
    """Draw tubes on one video.

    Args:
        path: A video or a folder of frames.
        tubes: What to draw.
        out: Where to write, without suffix: `.mp4` and `.png` are added.
        title: Of the contact sheet.
        total: Frames that the annotation says there are.
        cells: Pictures on the contact sheet.
        columns: Pictures in a row.
        fps: Of the mp4; None: that of the video.
        video: Write the mp4 too.

    Returns:
        Frames that were read.
    """
    wanted, sheet, count = _spread(tubes, total, cells), [], 0

    def frames() -> Iterator[np.ndarray]:
        nonlocal count
        for frame, picture in enumerate(read_pictures(path)):
            count += 1
            if frame in wanted:
                sheet.append(draw_boxes(picture, frame, tubes))
            if video:
                yield draw_frame(picture, frame, tubes, total)

    if video:
        target = out.with_name(f'{out.name}.mp4')
        write_video(target, frames(), fps or rate_of(path), crf=18)
    else:
        for _ in frames():
            pass
    if not count or not sheet:
        raise ToolError(f'{path} holds no frame to draw on: get it again')
    width = min(columns, len(sheet)) * (sheet[0].shape[1] + 6) - 6
    legend = draw_legend(min(width, 1300), tubes, total, None)
    write_png(
        out.with_name(f'{out.name}.png'),
        contact_sheet(title, sheet, legend, columns),
    )
    return count


def _spread(tubes: Sequence[DrawnTube], total: int, cells: int) -> set[int]:
    """Frame numbers at even distances over the time that has a tube."""
    first, last = 0, total - 1
    if tubes:
        first = min(int(tube.frames[0]) for tube in tubes)
        last = min(max(int(tube.frames[-1]) for tube in tubes), last)
    return set(np.linspace(first, last, cells).round().astype(int).tolist())


# ------------------------------------------------------------------------ run
def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(
        __doc__,
        '  python tools/analysis/draw_tubes.py --ann '
        'data/jhmdb/jhmdb_tubes.json \\\n'
        '      --detections work_dirs/lgd3d_jhmdb_split1/detections.npz \\\n'
        '      --videos data/jhmdb/videos --out work_dirs/drawn \\\n'
        '      --video wave/50_FIRST_DATES_wave_f_cm_np1_fr_med_0',
    )
    add = parser.add_argument
    add('--ann', type=Path, help='annotation file (.json): the true tubes')
    add('--detections', type=Path, help='file of detections (.npz)')
    add('--videos', type=Path, required=True, help='folder of the videos')
    add('--out', type=Path, required=True, help='folder to write into')
    add(
        '--video',
        nargs='+',
        metavar='NAME',
        help='names as in the files, <class>/<video> (default: the first 4)',
    )
    add(
        '--split',
        default='1',
        help='whose test videos the default takes (default: 1)',
    )
    add(
        '--classes',
        type=Path,
        metavar='TXT',
        help='class names, one a line, where there is no --ann',
    )
    add(
        '--score-thr',
        type=float,
        default=0.1,
        metavar='S',
        help='leave out what scores less (default: 0.1)',
    )
    add(
        '--top',
        type=positive_int,
        default=4,
        metavar='N',
        help='predicted tubes of a video, at most (default: 4)',
    )
    add(
        '--boxes',
        action='store_true',
        help='draw the detected boxes of each frame, not linked to tubes',
    )
    add(
        '--trim',
        action='store_true',
        help='cut tubes in time, as for the untrimmed UCF101-24',
    )
    add(
        '--nms-iou',
        type=open_fraction,
        metavar='X',
        help='of boxes of a class that overlap by more, keep the surest',
    )
    add('--frames', type=positive_int, default=8, metavar='N',
        help='pictures on the contact sheet (default: 8)')  # fmt: skip
    add('--columns', type=positive_int, default=4, metavar='N')
    add('--fps', type=float, help='of the mp4 (default: that of the video)')
    add('--sheet-only', action='store_true', help='write no mp4')
    args = parser.parse_args(argv)
    if args.ann is None and args.detections is None:
        parser.error('give --ann, --detections or both')
    if args.fps is not None and not 0 < args.fps <= 1000:
        parser.error('argument --fps: must be above 0, up to 1000')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    require_dir(args.videos, 'folder of videos')
    annotations = load_tubes(args.ann) if args.ann else None
    classes = _classes(args, annotations)
    predictions = None
    if args.detections is not None:
        predictions = Predictions(args.detections, classes)
    names = args.video or _first(annotations, predictions, args.split)
    rows = []
    for name in progress(names, 'videos'):
        rows += _draw_one(args, name, annotations, predictions)
    write_text(args.out / 'tubes.txt', ''.join(f'{row}\n' for row in rows))
    print('\n'.join(rows))
    return 0


def _draw_one(args, name: str, annotations, predictions) -> list[str]:
    """Draw one video; lines that say what was drawn."""
    path = find_pictures(args.videos, name)
    tubes, total = [], None
    if annotations is not None:
        if name not in annotations.videos:
            raise ToolError(
                f'{args.ann} has no video {name}: names are <class>/<video> '
                'without suffix'
            )
        truth = annotations.videos[name]
        tubes, total = true_tubes(truth, annotations.classes), truth.num_frames
    if total is None:
        total = sum(1 for _ in read_pictures(path))
    if predictions is not None:
        tubes = tubes + predictions.of(
            name, total, args.top, args.score_thr, not args.boxes,
            args.nms_iou, args.trim,
        )  # fmt: skip
    out = args.out / name
    count = draw_video(
        path, tubes, out, name, total, args.frames, args.columns, args.fps,
        not args.sheet_only,
    )  # fmt: skip
    if count != total:
        warn(
            f'{path} has {count} frames, its annotation {total}: boxes may '
            'be drawn on the wrong frames'
        )
    rows = [f'{name}: {count} frames -> {out}.png']
    for tube in tubes:
        kind = 'truth' if tube.score is None else f'{tube.score:.3f}'
        rows.append(
            f'  {kind} {tube.name} frames {tube.frames[0]}-{tube.frames[-1]}'
        )
    return rows


def _classes(args, annotations) -> list[str] | None:
    if annotations is not None:
        return list(annotations.classes)
    return read_label_map(args.classes) if args.classes else None


def _first(annotations, predictions, split: str, count: int = 4) -> list[str]:
    if predictions is not None:
        return predictions.names[:count]
    return [video.name for video in annotations.subset(split, 'test')][:count]
