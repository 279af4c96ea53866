"""Compute the optical flow of videos, as training reads it, resumably.

Flow number i of a video goes from frame i to frame i + 1 (numbers from 1),
so a video of n frames has n - 1 flows. It is computed on frames scaled to
--short-side, clipped to +-20 pixels at that size and stored in 8 bits:
q = round((v + 20) * 255 / 40); see flow_coding.py. x grows to the right, y
downwards.

--store jpg     a folder of flow_x_00001.jpg, flow_y_00001.jpg ... per video,
                for the stock RawframeDataset(modality='Flow',
                filename_tmpl='flow_{}_{:05d}.jpg')
--store video   one mp4 per video, x above y: 1/2 to 2/3 of the bytes, and
                one file instead of two for every frame; for the stock
                VideoDataset and lgd_mmaction's UnpackFlow

Results keep the folders of the source; spaces in their names become '_',
because lists split at spaces, and so do bytes that are not UTF-8. A result
gets its name only when complete.
"""

import os
from pathlib import Path, PurePosixPath

from lgd_mmaction.files import atomic_path, remove, remove_parts
from lgd_tools.cli import (
    ToolError,
    list_videos,
    make_parser,
    positive_int,
    read_list,
    require_dir,
    require_file,
    write_lines,
)
from lgd_tools.jobs import Job, JobError, run_jobs
from lgd_tools.journal import Outcome, Report
from lgd_tools.lists.clips import safe_name
from lgd_tools.videos.flow_coding import BOUND, preview, quantise
from lgd_tools.videos.flow_methods import (
    ALIASES,
    METHODS,
    make_method,
    require_method,
)
from lgd_tools.videos.flow_store import (
    JPG_NAME,
    JpgWriter,
    PackedWriter,
    stored_bytes,
)
from lgd_tools.videos.job_options import add_job_options, require_outside

EXAMPLE = """\
  # TV-L1 at 120 pixels (LGD-3D) for one list, and the list of the result
  python tools/data/extract_flow.py data/ucf101/videos \\
      data/ucf101/rawframes --method tvl1 --short-side 120 \\
      --list data/ucf101/ucf101_train_split_1_videos.txt \\
      --list-out data/ucf101/ucf101_train_split_1_rawframes.txt
  # all videos of a folder with the fast method, packed, 5 preview pictures
  python tools/data/extract_flow.py data/kinetics400/videos_val \\
      data/kinetics400/flow_val --method dis --short-side 240 \\
      --store video --preview work_dirs/flow_preview --preview-count 5
Run the same command again to continue or to repeat what failed. Speed and
size of every choice: docs/flow.md."""


def result_name(video: str, store: str) -> str:
    """Name of the result of a video, both relative to their folders."""
    stem = safe_name(os.path.splitext(video)[0])
    return f'{stem}.mp4' if store == 'video' else stem


def extract_one(
    source: str, target: str, picture: str | None, options: dict
) -> dict:
    """Write the flow of one video.

    Args:
        source: The video.
        target: Folder or file of the result.
        picture: Preview picture to write, or None.
        options: ``method``, ``short_side``, ``bound``, ``store``,
            ``quality``, ``crf``, ``allow_damaged``.

    Returns:
        ``flows``, ``width``, ``height``, ``bytes``, ``clipped`` (share of
        the components beyond the bound), ``note`` (damage, and why there
        is no picture), ``damage``, ``picture_error``.

    Raises:
        JobError: The video is damaged, or has fewer than two frames.
    """
    import numpy as np

    from lgd_tools.video import VideoFile, write_png

    final, bound = Path(target), options['bound']
    with (
        VideoFile(source, options['allow_damaged']) as video,
        atomic_path(final) as part,
    ):
        if options['store'] == 'video':
            writer = PackedWriter(part, options['crf'], video.rate)
        else:
            writer = JpgWriter(part, options['quality'])
        last, method, clipped = None, None, 0.0
        best = (-1.0, 0, None)  # speed, number, flow: for the preview
        with writer:
            for frame in video.frames('gray', options['short_side']):
                grey = frame.to_ndarray()
                if last is None:
                    height, width = grey.shape
                    method = make_method(options['method'], height, width)
                else:
                    flow = method(last, grey)
                    size = np.abs(flow)
                    clipped += float((size > bound).mean())
                    # shown as stored: clipped
                    mean = float(np.minimum(size, bound).mean())
                    if picture and mean > best[0]:
                        shown = np.clip(flow, -bound, bound)
                        best = (mean, writer.count, shown)
                    writer.add(quantise(flow, bound))
                last = grey
            if writer.count == 0:
                raise JobError('one frame only: there is no motion in it')
        damage, error = video.damage(), ''
    if picture:
        try:
            colours = _frame(source, best[1], options)
            write_png(picture, preview(colours, best[2]))
        except Exception as problem:  # an extra: the flow is finished
            error = f'no preview picture: {problem}'
    return dict(
        flows=writer.count,
        width=width,
        height=height,
        bytes=stored_bytes(final),
        clipped=round(clipped / writer.count, 5),
        note='; '.join(filter(None, (damage, error))),
        damage=damage,
        picture_error=error,
    )


def _frame(source: str, number: int, options: dict):
    """Frame ``number`` (from 0) in RGB, at the size of the flow."""
    from lgd_tools.video import VideoFile

    with VideoFile(source, allow_damaged=True) as video:
        frames = video.frames('rgb24', options['short_side'])
        for i, frame in enumerate(frames):
            if i == number:
                return frame.to_ndarray()
    raise JobError(f'frame {number} cannot be decoded a second time')


def is_there(job: Job, outcome: Outcome) -> bool:
    """Whether the result of a finished job is still complete."""
    path, flows = Path(job.args[1]), outcome.result['flows']
    picture, options = job.args[2:]
    tried = outcome.result.get('picture_error')
    if picture and not tried and not os.path.isfile(picture):
        return False
    # old journals know only the note
    damage = outcome.result.get('damage', outcome.result['note'])
    if damage and not options['allow_damaged']:
        return False
    if options['store'] == 'video':
        size = outcome.result['bytes']
        return path.is_file() and path.stat().st_size == size
    if not path.is_dir():
        return False
    names = set(os.listdir(path))
    return all(
        JPG_NAME.format(axis, i) in names
        for axis in 'xy'
        for i in range(1, flows + 1)
    )


def write_list(
    path: Path, rows: list[tuple[str, list[int]]], report: Report, store: str
) -> int:
    """Write the list of the results; returns how many rows were left out.

    ``dir total_frames label`` for jpg, ``file label`` for videos, in the
    order of ``rows``; videos without flow are left out.
    """
    done, lines = {o.key: o.result for o in report.done}, []
    for name, labels in rows:
        if name in done:
            fields = [result_name(name, store)]
            if store == 'jpg':
                fields.append(str(done[name]['flows']))
            lines.append(' '.join(fields + [str(label) for label in labels]))
    write_lines(path, lines)
    return len(rows) - len(lines)


def make_jobs(args, names: list[str], options: dict) -> list[Job]:
    """One job a video.

    Raises:
        ToolError: Two videos would have one result, or one result would
            lie inside another.
    """
    jobs: list[Job] = []
    taken: dict[str, str] = {}
    for number, name in enumerate(names):
        out = result_name(name, args.store)
        if out in taken:
            raise ToolError(
                f'{taken[out]} and {name} would both become {out}: rename '
                'one of them'
            )
        taken[out] = name
        picture = None
        if args.preview and number < args.preview_count:
            stem = os.path.splitext(out)[0] if args.store == 'video' else out
            picture = str(args.preview / f'{stem}.png')
        job_args = (
            str(args.source / name),
            str(args.target / out),
            picture,
            options,
        )
        jobs.append(Job(name, job_args, args.source / name))
    for out, name in taken.items():
        for parent in PurePosixPath(out).parents:
            if str(parent) in taken:  # x.mp4 beside x/y.mp4
                raise ToolError(
                    f'the flow of {name} would lie inside that of '
                    f'{taken[str(parent)]}: rename one of them'
                )
    return jobs


def parse(argv: list[str] | None):
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument('source', type=Path, help='folder of videos')
    parser.add_argument('target', type=Path, help='folder for the results')
    choices = '; '.join(f'{name}: {what}' for name, what in METHODS.items())
    parser.add_argument(
        '--method',
        choices=[*METHODS, *ALIASES],
        default='tvl1',
        metavar='NAME',
        help=f'{choices}; dis: dis_medium (default: tvl1)',
    )
    parser.add_argument(
        '--short-side',
        type=positive_int,
        metavar='N',
        help='scale frames to this shorter side first, never up (default: '
        'the size of the video)',
    )
    parser.add_argument(
        '--bound',
        type=float,
        default=BOUND,
        metavar='PIXELS',
        help='faster motion is clipped (default: 20)',
    )
    parser.add_argument('--store', choices=('jpg', 'video'), default='jpg')
    parser.add_argument(
        '--quality',
        type=int,
        choices=range(1, 101),
        default=90,
        metavar='1..100',
        help='of the jpg files (default: 90)',
    )
    parser.add_argument(
        '--crf',
        type=int,
        choices=range(52),
        default=12,
        metavar='0..51',
        help='x264 quality of the videos, lower is better (default: 12)',
    )
    parser.add_argument(
        '--list',
        type=Path,
        metavar='TXT',
        help='only the videos of this `path label` list',
    )
    parser.add_argument(
        '--list-out',
        type=Path,
        metavar='TXT',
        help='write the list of the results here: `dir total_frames label` '
        '(jpg) or `file label` (video); without --list there are no labels',
    )
    parser.add_argument(
        '--preview',
        type=Path,
        metavar='DIR',
        help='write pictures here: the frame of most motion, its flow in '
        'colours, the colour wheel',
    )
    parser.add_argument(
        '--preview-count',
        type=positive_int,
        default=10,
        metavar='N',
        help='for the first N videos (default: 10)',
    )
    add_job_options(parser, 7200, 'use')
    args = parser.parse_args(argv)
    if args.bound <= 0:
        parser.error('argument --bound: must be positive')
    return args


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    require_method(args.method)
    require_dir(args.source, 'video folder')
    require_outside(args.source, args.target)
    if args.list:
        rows = read_list(require_file(args.list, 'list'))
    else:
        rows = [(name, []) for name in list_videos(args.source)]
    if not rows:
        raise ToolError(f'no videos in {args.list or args.source}')
    options = dict(
        method=ALIASES.get(args.method, args.method),
        short_side=args.short_side,
        bound=args.bound,
        store=args.store,
        quality=args.quality,
        crf=args.crf,
        allow_damaged=args.allow_damaged,
    )
    names = list(dict.fromkeys(name for name, _ in rows))
    jobs = make_jobs(args, names, options)
    report = run_jobs(
        extract_one,
        jobs,
        workers=args.workers,
        journal=args.target / '.extract_flow.jsonl',
        # --allow-damaged changes no result of a whole video; is_there looks
        # after the others
        params=dict(options, allow_damaged=False),
        time_limit=args.time_limit,
        desc='flow',
        still_done=is_there,
        before=lambda own: remove_parts(job.args[1] for job in own),
        overwrite=args.overwrite,
        drop=lambda name: remove(args.target / result_name(name, args.store)),
        shard=args.shard,
    )
    flows = sum(o.result['flows'] for o in report.done)
    size = sum(o.result['bytes'] for o in report.done)
    each = f', {size / flows:.0f} bytes each' if flows else ''
    print(
        f'{len(report.done)} of {len(report.outcomes)} videos are ready in '
        f'{args.target} ({report.skipped} from before), '
        f'{len(report.bad)} failed: {flows} flows{each}'
    )
    if args.list_out:
        left_out = write_list(args.list_out, rows, report, args.store)
        print(
            f'{args.list_out}: {len(rows) - left_out} rows, '
            f'{left_out} left out'
        )
    report.print_notes()
    report.print_bad()
    return report.exit_code
