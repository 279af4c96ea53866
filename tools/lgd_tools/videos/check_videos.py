"""Open and decode every video, and list those that training cannot read.

Reads with the reader that training uses (or with decord, as the stock
pipelines do: --reader decord), because what another reader makes of a broken
file does not help. Every video is read in a watched process with a time
limit; a crash or a hang is one more bad video. A video that holds fewer
frames than its header promises is bad too. With ``--all`` every frame is
decoded, once by its number and once in order, which tells damage that
decoders hide by repeating or patching frames.

Writes into ``--out``:
  bad.txt       names of the bad videos, one a line
  report.csv    name, status, reason, frames, width, height, fps
  summary.json  the counts
"""

import csv
import io
import json
from pathlib import Path

from lgd_tools.cli import (
    ToolError,
    add_workers,
    list_videos,
    make_parser,
    positive_int,
    read_list,
    require_dir,
    require_file,
    write_json,
    write_lines,
    write_text,
)
from lgd_tools.jobs import Job, JobError, run_jobs
from lgd_tools.journal import DONE, Report
from lgd_tools.video import VideoFile, reader
from lgd_tools.videos.job_options import add_shard

FIELDS = ('name', 'status', 'reason', 'frames', 'width', 'height', 'fps')

EXAMPLE = """\
  python tools/data/check_videos.py data/kinetics400/videos_train \\
      --out work_dirs/check_k400_train
  # only the videos of a list, every frame, at least one 16-frame clip each
  python tools/data/check_videos.py data/ucf101/videos --all \\
      --list data/ucf101/ucf101_train_split_1_videos.txt \\
      --min-frames 16 --out work_dirs/check_ucf101
Run the same command again to continue; videos that did not change are not
read again (bad ones are with --recheck-bad)."""


def spread(total: int, count: int) -> list[int]:
    """``count`` frame numbers from the first to the last of ``total``."""
    count = min(total, count)
    if count == 1:
        return [0]
    return [round(i * (total - 1) / (count - 1)) for i in range(count)]


def _read(path: Path, options: dict) -> dict:
    """As training reads, over spread or all frames."""
    try:
        with reader.Video(path) as video:
            total = video.num_frames
            wanted = spread(
                total, total if options['all'] else options['frames']
            )
            for start in range(0, len(wanted), 32):  # bounded memory
                video.frames(wanted[start : start + 32])
            (width, height), fps = video.size, video.fps
    except reader.BrokenVideoError as error:
        raise JobError(error.reason) from None
    return dict(frames=total, width=width, height=height, fps=fps)


def _read_decord(path: Path, options: dict) -> dict:
    """As decord reads a file that it opens itself."""
    try:
        import decord
    except ImportError as error:
        raise JobError(
            'decord is not installed: pip install decord, or use --reader pyav'
        ) from error
    decord.logging.set_level(decord.logging.QUIET)
    try:
        reader = decord.VideoReader(str(path), num_threads=1)
        total = len(reader)
        if total == 0:
            raise JobError('the file holds no frame')
        wanted = spread(total, total if options['all'] else options['frames'])
        for start in range(0, len(wanted), 32):  # bounded memory
            shape = reader.get_batch(wanted[start : start + 32]).shape
        fps = float(reader.get_avg_fps())
    except JobError:
        raise
    except Exception as error:  # decord has no common base class
        text = ' '.join(str(error).split())
        if 'from_size == to_size' in text:
            # rows are padded to 64 bytes; decord takes row / width for the
            # number of colours, which fails below 64 pixels
            raise JobError(
                'decord cannot batch frames this narrow: use videos of at '
                'least 64 pixels width'
            ) from error
        # the sentence after the last C++ file name says what happened
        text = text.rsplit('.cc:', 1)[-1].split('] ')[-1]
        text = text.split(': ', 1)[-1] if text[:1].isdigit() else text
        raise JobError(f'decord cannot read it: {text[:200]}') from error
    return dict(frames=total, width=shape[2], height=shape[1], fps=fps)


def check_one(name: str, options: dict) -> dict:
    """Read one video.

    Args:
        name: Path of the video.
        options: ``frames``, ``all``, ``min_frames``, ``reader``.

    Returns:
        ``frames``, ``width``, ``height`` (pixels), ``fps``.

    Raises:
        JobError: Why training could not use it.
    """
    path = Path(name)
    with VideoFile(path) as video:  # refuses what is no video file
        # edit lists hide frames on purpose; the demuxer knows which
        promised = video.stream.frames
        if promised:
            packets = video.container.demux(video.stream)
            promised -= sum(p.is_discard for p in packets if p.size)
    read = _read if options['reader'] == 'pyav' else _read_decord
    facts = read(path, options)
    if options['all']:
        with VideoFile(path) as video:
            for _ in video.decode():  # raises on any damage
                pass
    if promised - facts['frames'] > max(1, 0.02 * promised):
        raise JobError(
            f'truncated: {facts["frames"]} of {promised} promised frames'
        )
    if facts['frames'] < options['min_frames']:
        raise JobError(
            f'too short: {facts["frames"]} frames, wanted '
            f'{options["min_frames"]}'
        )
    facts['fps'] = round(facts['fps'], 3)
    return facts


def write_report(out: Path, report: Report, mark: str = '') -> dict:
    """bad.txt, report.csv and summary.json; returns the summary.

    Args:
        mark: Of a shard, '.2of8': put before the extensions.
    """
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
        videos=len(report.outcomes), ok=len(report.done), bad=len(report.bad)
    )
    for outcome in report.bad:
        status = outcome.status
        summary[status] = summary.get(status, 0) + 1
    write_json(out / f'summary{mark}.json', summary)
    return summary


def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument('root', type=Path, help='folder of videos')
    parser.add_argument(
        '--list',
        type=Path,
        metavar='TXT',
        help='check the videos of this `path label` list (under root) '
        'instead of all in the folder',
    )
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        help='folder for the results and the journal',
    )
    parser.add_argument(
        '--frames',
        type=positive_int,
        default=8,
        metavar='N',
        help='decode N frames: first, last and spread ones (default: 8)',
    )
    parser.add_argument(
        '--all',
        action='store_true',
        help='decode every frame, and search for hidden damage',
    )
    parser.add_argument(
        '--min-frames',
        type=positive_int,
        default=1,
        metavar='N',
        help='shorter videos are bad (default: 1)',
    )
    parser.add_argument(
        '--reader',
        choices=('pyav', 'decord'),
        default='pyav',
        help='pyav: the reader of our configs; decord: that of the stock '
        'pipelines (default: pyav)',
    )
    parser.add_argument(
        '--time-limit',
        type=float,
        default=60,
        metavar='SECONDS',
        help='for one video (default: 60)',
    )
    parser.add_argument(
        '--recheck-bad',
        action='store_true',
        help='read again what an earlier run found bad',
    )
    add_shard(parser)
    add_workers(parser)
    args = parser.parse_args(argv)

    require_dir(args.root, 'video folder')
    if args.list:
        require_file(args.list, 'list')
        names = [name for name, _ in read_list(args.list)]
        names = list(dict.fromkeys(names))  # a row twice is checked once
    else:
        names = list_videos(args.root)
    if not names:
        raise ToolError(f'no videos in {args.list or args.root}')
    options = dict(
        frames=args.frames,
        all=args.all,
        min_frames=args.min_frames,
        reader=args.reader,
    )
    jobs = [
        Job(name, (str(args.root / name), options), args.root / name)
        for name in names
    ]
    report = run_jobs(
        check_one,
        jobs,
        workers=args.workers,
        journal=args.out / 'journal.jsonl',
        params=dict(options, root=str(args.root.resolve())),
        time_limit=args.time_limit,
        desc='check',
        redo_failed=args.recheck_bad,
        shard=args.shard,
    )
    mark = '.{}of{}'.format(*args.shard) if args.shard else ''
    summary = write_report(args.out, report, mark)
    print(json.dumps(summary))
    print(
        f'report: {args.out}/report{mark}.csv, names: {args.out}/bad{mark}.txt'
    )
    report.print_bad()
    return report.exit_code
