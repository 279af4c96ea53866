"""Draw true and predicted tubes on the video: an mp4 and a contact sheet.

    OUT/<class>/<video>.mp4   every frame, boxes with class and score
    OUT/<class>/<video>.png   a few frames of it at once

True tubes are white, predicted ones in colours; below the picture a row for
each tells its score, class and frames. Predicted tubes are linked from a file
of detections (what the metric of tools/test.py or fuse_detections.py writes)
as video-mAP links them. Small videos are enlarged so that the text can be
read.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lgd_mmaction.detection.annotations import load_tubes
from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.detection.detection_set import DetectionSet, check_detections
from lgd_mmaction.detection.linking import Linking, link_tubes
from lgd_mmaction.detection.tubes import Trimming, trim_tubes
from lgd_tools.cli import (
    ToolError,
    make_parser,
    positive_int,
    progress,
    require_dir,
    warn,
    write_lines,
)
from lgd_tools.pictures import (
    contact_sheet,
    find_pictures,
    measure,
    read_pictures,
    spread,
)
from lgd_tools.tubes.drawing import DrawnTube, draw_boxes, draw_legend
from lgd_tools.video import VideoFile, write_png, write_video

EXAMPLE = """\
  python tools/analysis/draw_tubes.py --ann data/jhmdb/jhmdb_tubes.json \\
      --detections work_dirs/lgd3d_jhmdb_split1/detections.npz \\
      --videos data/jhmdb/videos --out work_dirs/drawn \\
      --video wave/50_FIRST_DATES_wave_f_cm_np1_fr_med_0"""
COLUMNS = 4  # of the contact sheet


def predicted_tubes(
    detections: DetectionSet,
    name: str,
    top: int = 4,
    score_thr: float = 0.1,
    trim: bool = False,
) -> list[DrawnTube]:
    """The detected tubes of a video, the surest first; none of others.

    At most `top`, without those of a mean score below `score_thr`; `trim`
    cuts them in time, as for untrimmed videos.
    """
    names = [video.name for video in detections.videos]
    if name not in names:
        return []
    index = names.index(name)
    tubes = link_tubes(detections, index, Linking())
    if trim:
        tubes = trim_tubes(tubes, Trimming())
    video = detections.videos[index]
    boxes = tubes.boxes / ([video.width, video.height] * 2)
    scores = tubes.mean_scores()
    order = np.argsort(-scores, kind='stable')
    drawn = []
    for i in order[scores[order] >= score_thr][:top]:
        name, start = detections.classes[tubes.label[i]], int(tubes.start[i])
        rows = slice(*tubes.offset[i : i + 2])
        drawn.append(DrawnTube(name, start, boxes[rows], tubes.scores[rows]))
    return drawn


def draw_video(
    path: Path,
    tubes: Sequence[DrawnTube],
    out: Path,
    total: int,
    cells: int = 8,
) -> int:
    """Write OUT.mp4 and OUT.png of one video; returns how many frames it has.

    The annotation says there are `total`. The contact sheet has so many
    cells, from the time that has a tube.
    """
    first = min((tube.start for tube in tubes), default=0)
    ends = [tube.start + len(tube.boxes) for tube in tubes] or [total]
    wanted = set(spread(first, max(ends) - 1, cells))
    sheet, count = [], 0

    def frames() -> Iterator[np.ndarray]:
        nonlocal count
        for frame, picture in enumerate(read_pictures(path)):
            count += 1
            boxes = draw_boxes(picture, frame, tubes)
            if frame in wanted:
                sheet.append(boxes)
            legend = draw_legend(boxes.shape[1], tubes, total, frame)
            yield np.concatenate([boxes, legend])

    rate = 25
    if path.is_file():
        measure(path)  # names a file that cannot be read
        with VideoFile(path) as file:
            rate = file.rate
    write_video(out.with_name(f'{out.name}.mp4'), frames(), rate, crf=18)
    if not sheet:
        raise ToolError(f'{path} holds no frame to draw on: get it again')
    rows = [sheet[i : i + COLUMNS] for i in range(0, len(sheet), COLUMNS)]
    width = sum(cell.shape[1] for cell in rows[0])
    legend = draw_legend(min(width, 1300), tubes, total)
    captions = [f'{out.parent.name}/{out.name}'] + [''] * len(rows)
    picture = contact_sheet([*zip(captions, [*rows, [legend]], strict=True)])
    write_png(out.with_name(f'{out.name}.png'), picture)
    return count


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add('--ann', type=Path, required=True, help='annotation file (.json)')
    add('--detections', type=Path, help='file of detections (.npz)')
    add('--videos', type=Path, required=True, help='folder of the videos')
    add('--out', type=Path, required=True, help='folder to write into')
    add('--video', nargs='+', metavar='NAME', help='default: the first 4')
    add('--split', default='1', help='whose test videos (default: 1)')
    add('--score-thr', type=float, default=0.1, help='least score of a tube')
    add('--top', type=positive_int, default=4, help='predicted tubes at most')
    add('--trim', action='store_true', help='cut tubes in time (UCF101-24)')
    add('--frames', type=positive_int, default=8, help='of the contact sheet')
    args = parser.parse_args(argv)
    require_dir(args.videos, 'folder of videos')
    annotations = load_tubes(args.ann)
    names = [video.name for video in annotations.subset(args.split, 'test')]
    if args.detections:
        table = BoxTable.load(args.detections, 'detections')
        names = table.videos.tolist()
        detections = check_detections(table, annotations, args.split)
    rows = []
    for name in progress(args.video or names[:4], 'videos'):
        if name not in annotations.videos:
            raise ToolError(
                f'{args.ann} has no video {name}: names are <class>/<video> '
                'without suffix'
            )
        video = annotations.videos[name]
        path = find_pictures(args.videos, name)
        size = [video.width, video.height] * 2
        tubes = [
            DrawnTube(annotations.classes[t.label], t.start, t.boxes / size)
            for t in video.tubes
        ]
        if args.detections:
            tubes += predicted_tubes(
                detections, name, args.top, args.score_thr, args.trim
            )
        out, total = args.out / name, video.num_frames
        count = draw_video(path, tubes, out, total, args.frames)
        if count != total:
            warn(
                f'{path} has {count} frames, its annotation {total}: boxes '
                'may be drawn on the wrong frames'
            )
        rows += [f'{name}: {count} frames -> {out}.png']
        rows += [f'  {tube}' for tube in tubes]
    write_lines(args.out / 'tubes.txt', rows)
    print('\n'.join(rows))
    return 0
