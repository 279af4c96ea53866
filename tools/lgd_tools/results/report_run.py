"""Report a run: curves, confusion matrix and a summary.

Reads the work directory of tools/train.py (all its starts and resumes) and
the scores that tools/test.py wrote with --dump, and writes:

    OUT/curves.png             loss and accuracy, the switch of stages marked
    OUT/confusion_matrix.png   rows are true, columns predicted classes
    OUT/summary.json           every number, and the commonest mistakes

Top-1 is given with the number of clips and its 95 % interval (Wilson): few
clips say little. Chance is the better of guessing at random and of always
guessing the commonest class.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lgd_tools.cli import class_names, file_sha256, make_parser, write_json
from lgd_tools.results.measures import confusion, measure, wilson
from lgd_tools.results.run_log import (
    STAGE_1_LOSSES,
    STAGE_2_LOSS,
    Course,
    read_course,
)
from lgd_tools.results.run_pictures import draw_confusion, draw_curves
from lgd_tools.results.scores import Scores, load_scores

EXAMPLE = """\
  python tools/test.py CONFIG work_dirs/run/epoch_50.pth \\
      --dump work_dirs/run/scores.pkl
  python tools/analysis/report_run.py work_dirs/run \\
      --scores work_dirs/run/scores.pkl \\
      --label-map data/kinetics400/label_map.txt"""


def report_run(
    work_dir: str | os.PathLike,
    scores: str | os.PathLike,
    out: str | os.PathLike,
    label_map: str | os.PathLike | None = None,
) -> dict[str, Any]:
    """Write the pictures and summary.json; return the summary."""
    course, dump = read_course(work_dir), load_scores(scores, named=False)
    classes = class_names(label_map, dump.values.shape[1])
    matrix = confusion(dump.values, dump.labels)
    summary = summarise(course, dump, classes, matrix)
    out = Path(out)
    pictures = [
        draw_curves(course, out / 'curves.png', summary),
        draw_confusion(matrix, classes, out / 'confusion_matrix.png'),
    ]
    summary |= {
        'work_dir': str(work_dir),
        'scores': str(scores),
        'scores_sha256': file_sha256(scores),
        'pictures': [str(path) for path in pictures],
    }
    write_json(out / 'summary.json', summary)
    return summary


def confused_pairs(matrix: np.ndarray) -> list[tuple[int, int, int]]:
    """(true, predicted, clips) of the mistakes, the commonest first."""
    cells = [(*cell, int(n)) for cell, n in np.ndenumerate(matrix) if n]
    mistakes = [(t, p, n) for t, p, n in cells if t != p]
    return sorted(mistakes, key=lambda mistake: -mistake[2])


def summarise(
    course: Course, scores: Scores, classes: Sequence[str], matrix: np.ndarray
) -> dict[str, Any]:
    """Every number of the report; shares are of one."""
    clips, number = scores.values.shape
    seen, right = matrix.sum(1), int(np.trace(matrix))
    measures = measure(scores.values, scores.labels)
    if number <= 5:
        del measures['top5']  # always right
    training = {
        'unit': course.unit,
        'length': course.train[-1]['x'],
        'switch': course.switch,
        'starts': course.starts,
    }
    for key in ('loss', *STAGE_1_LOSSES, STAGE_2_LOSS):
        if y := course.curve('train', key)[1]:
            training[key] = {'first': y[0], 'last': y[-1]}
    for key in course.keys('val'):
        if 'acc' in key and (y := course.curve('val', key)[1]):
            training[f'val {key}'] = {'last': y[-1], 'best': max(y)}
    return {
        'clips': clips,
        'right': right,
        'classes': number,
        'classes_without_clips': int((seen == 0).sum()),
        'chance': max(1 / number, float(seen.max()) / clips),
        **measures,
        'top1_interval_95': list(wilson(right, clips)),
        'class_accuracy': {
            name: float(matrix[k, k] / seen[k]) if seen[k] else None
            for k, name in enumerate(classes)
        },
        'commonest_mistakes': [
            {'true': classes[t], 'predicted': classes[p], 'clips': n}
            for t, p, n in confused_pairs(matrix)[:20]
        ],
        'training': training,
    }


def format_summary(summary: dict[str, Any]) -> str:
    """What a person wants to know first."""
    low, high = summary['top1_interval_95']
    lines = [
        f'top-1: {summary["top1"]:.1%} ({summary["right"]} of '
        f'{summary["clips"]} clips right; 95 % interval {low:.0%} to '
        f'{high:.0%})',
        f'chance: {summary["chance"]:.1%} ({summary["classes"]} classes)',
    ]
    if mistakes := summary['commonest_mistakes']:
        shown = '; '.join(
            f'{m["true"]} taken for {m["predicted"]}, {m["clips"]}'
            for m in mistakes[:3]
        )
        lines.append(f'commonest mistakes: {shown}')
    return '\n'.join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    # fmt: off
    add('work_dir', help='folder that tools/train.py wrote')
    add('--scores', required=True, metavar='PKL',
        help='what tools/test.py --dump wrote')
    add('--label-map', metavar='TXT', help='class names, one a line')
    add('--out', metavar='DIR', type=Path,
        help='for the results (default: WORK_DIR/report)')
    # fmt: on
    args = vars(parser.parse_args(argv))
    args['out'] = args['out'] or Path(args['work_dir'], 'report')
    summary = report_run(**args)
    print(format_summary(summary))
    for path in summary['pictures']:
        print(f'picture: {path}')
    print(f'numbers: {args["out"] / "summary.json"}')
    return 0
