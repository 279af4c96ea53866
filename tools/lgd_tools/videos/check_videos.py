"""Open and decode every video, and list those that training cannot read.

Reads with the reader that training uses, because what another reader makes
of a broken file does not help. Every video is read in a watched process with
a time limit; a crash or a hang is one more bad video. A video that holds
fewer frames than its header promises is bad too. With ``--all`` every frame
is decoded, once by its number and once in order, which tells damage that
decoders hide by repeating or patching frames.

Writes into ``--out``:
  bad.txt       names of the bad videos, one a line
  report.csv    name, status, reason, frames, width, height, fps
  summary.json  the counts
"""

import csv
import io
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np

from lgd_tools.cli import (
    make_parser,
    positive_int,
    write_json,
    write_lines,
    write_text,
)
from lgd_tools.jobs import Job, JobError, run_jobs
from lgd_tools.journal import DONE, Report
from lgd_tools.video import VideoFile, count_frames, reader
from lgd_tools.videos.command import add_job_options, options_of, read_rows

FIELDS = ('name', 'status', 'reason', 'frames', 'width', 'height', 'fps')

EXAMPLE = """\
  python tools/data/check_videos.py data/kinetics400/videos_train \\
      --out work_dirs/check_k400_train
  # only the videos of a list, every frame, at least one 16-frame clip each
  python tools/data/check_videos.py data/ucf101/videos --all \\
      --list data/ucf101/ucf101_train_split_1_videos.txt \\
      --min-frames 16 --out work_dirs/check_ucf101
Run the same command again to continue; good videos that did not change are
not read again."""


def portions(total: int, options: dict) -> list[np.ndarray]:
    """Frame numbers to read, evenly spread or all, few at a time."""
    count = total if options['all'] else min(total, options['frames'])
    wanted = np.linspace(0, total - 1, count).round().astype(int)
    return np.array_split(wanted, math.ceil(count / 32))


def check_one(path: Path, options: dict) -> dict:
    """Read one video; JobError says why training could not use it."""
    with VideoFile(path) as video:  # refuses what is no video file
        # edit lists hide frames on purpose; the demuxer knows which
        promised = video.stream.frames
        if promised:
            packets = video.container.demux(video.stream)
            promised -= sum(p.is_discard for p in packets if p.size)
    try:
        with reader.Video(path) as video:
            frames, (width, height) = video.num_frames, video.size
            fps = round(video.fps, 3)
            for numbers in portions(frames, options):
                video.frames(numbers.tolist())
    except reader.BrokenVideoError as error:
        raise JobError(error.reason) from None
    if options['all']:
        count_frames(path)  # raises on any damage
    if promised - frames > max(1, 0.02 * promised):
        raise JobError(f'truncated: {frames} of {promised} promised frames')
    if frames < options['min_frames']:
        wanted = options['min_frames']
        raise JobError(f'too short: {frames} frames, wanted {wanted}')
    return dict(frames=frames, width=width, height=height, fps=fps)


def write_report(out: Path, report: Report, mark: str = '') -> dict:
    """bad.txt, report.csv, summary.json ('bad.2of8.txt'); the summary."""
    write_lines(out / f'bad{mark}.txt', [o.key for o in report.bad])
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator='\n')
    writer.writeheader()
    for outcome in report.outcomes:
        status = 'ok' if outcome.status == DONE else outcome.status
        row = dict(name=outcome.key, status=status, reason=outcome.error)
        writer.writerow(row | (outcome.result or {}))
    write_text(out / f'report{mark}.csv', text.getvalue())
    summary = dict(
        videos=len(report.outcomes),
        ok=len(report.done),
        bad=len(report.bad),
        **Counter(outcome.status for outcome in report.bad),
    )
    write_json(out / f'summary{mark}.json', summary)
    return summary


def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add('root', type=Path, help='folder of videos')
    # fmt: off
    add('--out', type=Path, required=True, help='for results and journal')
    add('--frames', type=positive_int, default=8, metavar='N', help='decode '
        'N frames: first, last and spread ones (default: 8)')
    add('--all', action='store_true',
        help='decode every frame, and search for hidden damage')
    add('--min-frames', type=positive_int, default=1, metavar='N',
        help='shorter videos are bad (default: 1)')
    # fmt: on
    add_job_options(parser, 60)
    args = parser.parse_args(argv)

    options = options_of(args, 'frames all min_frames')
    rows = read_rows(args.root, args.list)
    # a row twice is checked once
    paths = {name: args.root / name for name, _ in rows}
    report = run_jobs(
        check_one,
        [Job(name, (path, options), path) for name, path in paths.items()],
        workers=args.workers,
        journal=args.out / 'journal.jsonl',
        params=dict(options, root=args.root.resolve()),
        time_limit=args.time_limit,
        desc='check',
        shard=args.shard,
    )
    mark = '.{}of{}'.format(*args.shard) if args.shard else ''
    out = args.out
    print(json.dumps(write_report(out, report, mark)))
    print(f'report: {out}/report{mark}.csv, names: {out}/bad{mark}.txt')
    report.print_bad()
    return report.exit_code
