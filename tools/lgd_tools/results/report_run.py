"""Report a run: curves, confusion matrix, predicted clips and a summary.

Reads the work directory of tools/train.py (all its starts and resumes) and
the scores that tools/test.py wrote with --dump, and writes:

    OUT/curves.png             loss and accuracy, the switch of stages marked
    OUT/confusion_matrix.png   by name; many classes: the commonest mistakes
    OUT/predictions.png        frames of right and of wrong clips
    OUT/summary.json           every number of the above

Top-1 is given with the number of clips and its 95 % interval (Wilson): few
clips say little. Chance is the better of guessing at random and of always
guessing the commonest class.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lgd_tools.cli import (
    ToolError,
    file_sha256,
    make_parser,
    positive_int,
    read_lines,
    write_json,
)
from lgd_tools.results.measures import class_accuracies, measure
from lgd_tools.results.run_log import (
    STAGE_1_LOSSES,
    STAGE_2_LOSS,
    Course,
    read_course,
)
from lgd_tools.results.run_pictures import (
    confused_pairs,
    draw_confusion,
    draw_curves,
    draw_predictions,
    predicted_classes,
)
from lgd_tools.results.scores import Scores, load_scores

EXAMPLE = """\
  python tools/test.py CONFIG work_dirs/run/epoch_50.pth \\
      --dump work_dirs/run/scores.pkl
  python tools/analysis/report_run.py work_dirs/run \\
      --scores work_dirs/run/scores.pkl \\
      --label-map data/kinetics400/label_map.txt \\
      --ann data/kinetics400/kinetics400_val_list_videos.txt \\
      --videos data/kinetics400/videos_val"""


def report_run(
    work_dir: str | os.PathLike,
    scores: str | os.PathLike,
    out: str | os.PathLike,
    label_map: str | os.PathLike | None = None,
    ann: str | os.PathLike | None = None,
    videos: str | os.PathLike | None = None,
    clips: int = 4,
) -> dict[str, Any]:
    """Writes the pictures and summary.json; returns the summary.

    Args:
        work_dir: What tools/train.py wrote.
        scores: What tools/test.py --dump wrote.
        out: Folder for the results.
        label_map: Class names, one a line; None: their indices.
        ann: The list that the test read; needed where the scores do not
            name the clips.
        videos: Folder that the clips' names are relative to.
        clips: How many right and how many wrong clips to draw; 0: none.

    Raises:
        ToolError: An input is missing, broken or does not fit the others.
    """
    course = read_course(work_dir)
    dump = load_scores(scores, ann)
    classes = _class_names(label_map, dump)
    matrix = confusion(dump)
    summary = summarise(course, dump, classes, matrix)
    out = Path(out)
    pictures = [
        draw_curves(
            course,
            out / 'curves.png',
            summary['chance'],
            (summary['top1'], summary['clips']),
        ),
        draw_confusion(matrix, classes, out / 'confusion_matrix.png'),
    ]
    if clips:
        pictures.append(
            draw_predictions(
                dump.names,
                dump.values,
                dump.labels,
                classes,
                out / 'predictions.png',
                videos,
                clips,
            )
        )
    summary['work_dir'] = str(work_dir)
    summary['scores'] = str(scores)
    summary['scores_sha256'] = file_sha256(scores)
    summary['pictures'] = [str(path) for path in pictures]
    write_json(out / 'summary.json', summary)
    return summary


def confusion(scores: Scores) -> np.ndarray:
    """(K, K) clips: rows are true, columns predicted classes."""
    number = scores.values.shape[1]
    matrix = np.zeros((number, number), dtype=np.int64)
    np.add.at(matrix, (scores.labels, predicted_classes(scores.values)), 1)
    return matrix


def summarise(
    course: Course, scores: Scores, classes: Sequence[str], matrix: np.ndarray
) -> dict[str, Any]:
    """Every number of the report; shares are of one."""
    clips, number = scores.values.shape
    seen = matrix.sum(1)
    by_class = class_accuracies(scores.values, scores.labels)
    measures = measure(scores.values, scores.labels)
    if number <= 5:
        del measures['top5']  # always right
    right = int(np.trace(matrix))
    return {
        'clips': clips,
        'right': right,
        'classes': number,
        'classes_without_clips': int((seen == 0).sum()),
        'chance': max(1 / number, float(seen.max()) / clips),
        **measures,
        'top1_interval_95': wilson(right, clips),
        'class_accuracy': {
            name: None if np.isnan(value) else float(value)
            for name, value in zip(classes, by_class, strict=True)
        },
        'commonest_mistakes': [
            {'true': classes[t], 'predicted': classes[p], 'clips': n}
            for t, p, n in confused_pairs(matrix, 20)
        ],
        'training': _training(course),
    }


def wilson(right: int, clips: int) -> list[float]:
    """95 % interval of a share: [low, high]. Wilson, 1927."""
    z = 1.959964
    share = right / clips
    middle = share + z * z / (2 * clips)
    half = z * math.sqrt(share * (1 - share) / clips + (z / 2 / clips) ** 2)
    scale = 1 + z * z / clips
    # rounding may leave the range by an ulp
    return [max(0.0, (middle - half) / scale), min(1, (middle + half) / scale)]


def _training(course: Course) -> dict[str, Any]:
    """First and last value of what was logged."""
    result: dict[str, Any] = {
        'unit': course.unit,
        'length': course.train[-1]['x'],
        'switch': course.switch,
        'starts': course.starts,
    }
    for key in ('loss', *STAGE_1_LOSSES, STAGE_2_LOSS):
        _, y = course.curve('train', key)
        if y:
            result[key] = {'first': y[0], 'last': y[-1]}
    for key in course.keys('val'):
        if 'acc' in key:
            _, y = course.curve('val', key)
            if y:
                result[f'val {key}'] = {'last': y[-1], 'best': max(y)}
    return result


def _class_names(
    label_map: str | os.PathLike | None, scores: Scores
) -> list[str]:
    number = scores.values.shape[1]
    if label_map is None:
        return [f'class {i}' for i in range(number)]
    names = [text for _, text in read_lines(label_map, 'label map')]
    if len(names) != number:
        raise ToolError(
            f'the label map {label_map} has {len(names)} classes, but '
            f'{scores.path} {number}: give the map of this data set'
        )
    if len(set(names)) < number:
        raise ToolError(
            f'the label map {label_map} names a class twice: mend it'
        )
    return names


def format_summary(summary: dict[str, Any]) -> str:
    """What a person wants to know first."""
    low, high = summary['top1_interval_95']
    lines = [
        f'top-1: {100 * summary["top1"]:.1f} % ({summary["right"]} of '
        f'{summary["clips"]} clips right; 95 % interval {100 * low:.0f} to '
        f'{100 * high:.0f} %)',
        f'chance: {100 * summary["chance"]:.1f} % ({summary["classes"]} '
        'classes)',
    ]
    mistakes = summary['commonest_mistakes']
    if mistakes:
        shown = '; '.join(
            f'{m["true"]} taken for {m["predicted"]}, {m["clips"]}'
            for m in mistakes[:3]
        )
        lines.append(f'commonest mistakes: {shown}')
    return '\n'.join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add('work_dir', help='folder that tools/train.py wrote')
    add(
        '--scores',
        required=True,
        metavar='PKL',
        help='what tools/test.py --dump wrote',
    )
    add('--label-map', metavar='TXT', help='class names, one a line')
    add(
        '--ann',
        metavar='LIST',
        help='the list that the test read; needed where the scores do not '
        'name the clips',
    )
    add(
        '--videos',
        metavar='DIR',
        help='folder that the names of the clips are relative to',
    )
    add(
        '--out',
        metavar='DIR',
        help='for the results (default: WORK_DIR/report)',
    )
    add(
        '--clips',
        type=positive_int,
        default=4,
        metavar='N',
        help='right and wrong clips to draw, each (default: %(default)s)',
    )
    add(
        '--no-clips',
        action='store_true',
        help='draw no clips; for a machine without the videos',
    )
    args = parser.parse_args(argv)
    out = Path(args.out) if args.out else Path(args.work_dir) / 'report'
    summary = report_run(
        args.work_dir,
        args.scores,
        out,
        args.label_map,
        args.ann,
        args.videos,
        0 if args.no_clips else args.clips,
    )
    print(format_summary(summary))
    for path in summary['pictures']:
        print(f'picture: {path}')
    print(f'numbers: {out / "summary.json"}')
    return 0
