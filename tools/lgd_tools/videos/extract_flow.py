"""Compute the optical flow of videos, as training reads it, resumably.

Flow number i of a video goes from frame i to frame i + 1 (numbers from 1),
so a video of n frames has n - 1 flows. It is computed on frames scaled to
--short-side, clipped to +-20 pixels at that size and stored in 8 bits:
q = round((v + 20) * 255 / 40); see flow_store.py. x grows to the right, y
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

import argparse
import itertools
import os
from pathlib import Path

from lgd_mmaction.files import atomic_path
from lgd_tools.cli import make_parser, positive, positive_int, write_lines
from lgd_tools.jobs import JobError
from lgd_tools.journal import Report
from lgd_tools.lists.clips import safe_name
from lgd_tools.video import VideoFile
from lgd_tools.videos import command, flow_store
from lgd_tools.videos.flow_methods import METHODS, make_method, require_method

EXAMPLE = """\
  # TV-L1 at 120 pixels (LGD-3D) for one list, and the list of the result
  python tools/data/extract_flow.py data/ucf101/videos \\
      data/ucf101/rawframes --method tvl1 --short-side 120 \\
      --list data/ucf101/ucf101_train_split_1_videos.txt \\
      --list-out data/ucf101/ucf101_train_split_1_rawframes.txt
  # all videos of a folder with the fast method, packed
  python tools/data/extract_flow.py data/kinetics400/videos_val \\
      data/kinetics400/flow_val --method dis --short-side 240 \\
      --store video
Run the same command again to continue or to repeat what failed. Speed and
size of every choice: docs/flow.md."""


def result_name(video: str, store: str) -> str:
    """Name of the result of a video, both relative to their folders."""
    stem = safe_name(os.path.splitext(video)[0])
    return f'{stem}.mp4' if store == 'video' else stem


def extract_one(source: Path, target: Path, options: dict) -> dict:
    """Write the flow of one video, of at least two frames."""
    method = None
    with (
        VideoFile(source, options['allow_damaged']) as video,
        atomic_path(target) as part,
    ):
        if options['store'] == 'video':
            writer = flow_store.PackedWriter(part, options['crf'], video.rate)
        else:
            writer = flow_store.JpgWriter(part, options['quality'])
        frames = video.frames('gray', options['short_side'])
        pairs = itertools.pairwise(frame.to_ndarray() for frame in frames)
        with writer:
            for first, second in pairs:
                method = method or make_method(options['method'], *first.shape)
                flow = method(first, second)
                writer.add(flow_store.quantise(flow, options['bound']))
        if writer.count == 0:
            raise JobError('one frame only: there is no motion in it')
        note = video.damage()
    size = command.stored_size(target)
    return dict(flows=writer.count, note=note, size=size)


def write_list(
    path: Path, rows: list[tuple[str, list[int]]], report: Report, store: str
) -> None:
    """Write the list of the results there are, in the order of ``rows``."""
    done, lines = {o.key: o.result for o in report.done}, []
    for name, labels in rows:
        if name in done:
            frames = [done[name]['flows']] if store == 'jpg' else []
            words = [result_name(name, store), *frames, *labels]
            lines.append(' '.join(map(str, words)))
    write_lines(path, lines)
    print(f'{path}: {len(lines)} rows, {len(rows) - len(lines)} left out')


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    command.add_result_options(parser)
    add = parser.add_argument
    # fmt: off
    add('--method', choices=METHODS, default='tvl1',
        help='; '.join(f'{name}: {what}' for name, what in METHODS.items())
        + ' (default: tvl1)')
    add('--short-side', type=positive_int, metavar='N',
        help='scale frames to this shorter side first, never up (default: '
        'the size of the video)')
    add('--bound', type=positive, default=flow_store.BOUND, metavar='PIXELS',
        help='faster motion is clipped (default: 20)')
    add('--store', choices=('jpg', 'video'), default='jpg')
    add('--quality', type=int, choices=range(1, 101), default=90,
        metavar='1..100', help='of the jpg files (default: 90)')
    add('--crf', type=int, choices=range(52), default=12, metavar='0..51',
        help='x264 quality of the videos, lower is better (default: 12)')
    add('--list-out', type=Path, metavar='TXT',
        help='write the list of the results here: `dir total_frames label` '
        '(jpg) or `file label` (video); without --list there are no labels')
    # fmt: on
    command.add_job_options(parser, 7200)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    require_method(args.method)
    rows = command.read_rows(args.source, args.list)
    names = {name: result_name(name, args.store) for name, _ in rows}
    options = 'method short_side bound store quality crf'
    report = command.make_results(
        args, extract_one, names, options, 'extract_flow'
    )
    print(sum(o.result['flows'] for o in report.done), 'flows')
    if args.list_out:
        write_list(args.list_out, rows, report, args.store)
    return report.exit_code
