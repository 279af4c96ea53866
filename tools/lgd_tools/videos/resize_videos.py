"""Re-encode videos to a short side with close key frames, resumably.

Training reads a few frames at random places: small pictures decode faster,
and a key frame every ``--key-frames`` frames bounds what has to be decoded
to reach one. Written with PyAV: its wheels bring FFmpeg's libraries with
libx264, so no system ffmpeg is needed and every machine encodes alike; the
ffmpeg program costs about as much and calls most truncated files a success
(measured in docs/resize.md).

H.264 yuv420p in mp4; sound and subtitles are dropped; time stamps (also
variable frame rates) and the number of frames are kept, which is verified by
decoding every result before it gets its name. Rotation metadata is applied
to the pixels.
"""

import os
from argparse import ArgumentTypeError
from pathlib import Path

from lgd_mmaction.files import atomic_path, remove, remove_parts
from lgd_tools.cli import (
    ToolError,
    list_videos,
    make_parser,
    parse_size,
    positive_int,
)
from lgd_tools.jobs import Job, JobError, run_jobs
from lgd_tools.journal import Outcome
from lgd_tools.video import Encoder, VideoFile
from lgd_tools.videos.job_options import add_job_options, require_outside

# divisible by every usual frame rate, fine enough for any variable one
CLOCK = 90000
PRESETS = (
    'ultrafast',
    'superfast',
    'veryfast',
    'faster',
    'fast',
    'medium',
    'slow',
    'slower',
)

EXAMPLE = """\
  # 120 pixels (LGD-3D), same folders, files end in .mp4
  python tools/data/resize_videos.py raw/videos_train \\
      data/kinetics400/videos_train --short-side 120
  # the exact 320x240 of the paper's LGD-2D, file names unchanged, so that
  # lists which name .avi files stay valid
  python tools/data/resize_videos.py raw/ucf101 data/ucf101/videos \\
      --size 320x240 --keep-names
Run the same command again to continue or to repeat what failed."""


def even_size(text: str) -> tuple[int, int]:
    """argparse type: :func:`lgd_tools.cli.parse_size` with even sides."""
    size = parse_size(text)
    if size[0] % 2 or size[1] % 2:
        raise ArgumentTypeError(
            f'{text!r} is not WIDTHxHEIGHT with even numbers, like 320x240'
        )
    return size


def count_frames(path: str | os.PathLike) -> int:
    """Frames that really decode."""
    with VideoFile(path) as video:
        return sum(1 for _ in video.decode())


def resize_one(source: str, target: str, options: dict) -> dict:
    """Re-encode one file; the target appears only when it is verified.

    Args:
        source: Input video.
        target: Output name.
        options: ``short_side``, ``size``, ``upscale``, ``key_frames``,
            ``crf``, ``preset``, ``allow_damaged``.

    Raises:
        JobError: The input is damaged, or the result lacks frames.
    """
    final = Path(target)
    with atomic_path(final) as part:
        with VideoFile(source, options['allow_damaged']) as video:
            written, size = _encode(video, part, options)
            note = video.damage()
        found = count_frames(part)
        if found != written:
            raise JobError(
                f'the result holds {found} frames instead of {written}: '
                'report this file'
            )
    return dict(
        frames=written,
        width=size[0],
        height=size[1],
        bytes_in=os.path.getsize(source),
        bytes_out=final.stat().st_size,
        note=note,
    )


def _encode(
    video: VideoFile, part: Path, options: dict
) -> tuple[int, tuple[int, int]]:
    frames = video.frames(
        'yuv420p', options['short_side'], options['size'], options['upscale']
    )
    with Encoder(
        part,
        video.rate,
        options['crf'],
        options['preset'],
        options['key_frames'],
        clock=CLOCK,
    ) as out:
        first = None
        for frame in frames:
            first = frame.time if first is None else first
            out.add(frame, frame.time - first)
    return out.count, out.size


def plan(source: Path, target: Path, keep_names: bool) -> dict[str, str]:
    """Relative input name -> relative output name.

    Raises:
        ToolError: No videos, or two inputs would have one output.
    """
    pairs: dict[str, str] = {}
    taken: dict[str, str] = {}
    for name in list_videos(source):
        out = name if keep_names else f'{os.path.splitext(name)[0]}.mp4'
        if out in taken:
            raise ToolError(
                f'{taken[out]} and {name} would both become {out}: remove '
                'one of them or use --keep-names'
            )
        taken[out] = name
        pairs[name] = out
    if not pairs:
        raise ToolError(f'no videos under {source}: check the path')
    return pairs


def megabytes(size: int) -> str:
    return f'{size / 1e6:.1f} MB'


def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument('source', type=Path, help='folder of videos')
    parser.add_argument('target', type=Path, help='folder for the results')
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument(
        '--short-side',
        type=positive_int,
        metavar='N',
        help='shorter side in pixels, the ratio is kept; sides are even',
    )
    size.add_argument(
        '--size',
        type=even_size,
        metavar='WxH',
        help='exact size in pixels, the ratio is not kept',
    )
    parser.add_argument(
        '--upscale',
        action='store_true',
        help='also enlarge videos with a smaller short side',
    )
    parser.add_argument(
        '--keep-names',
        action='store_true',
        help='keep .avi and so on in the names (the content is mp4, which '
        'readers see); else every result ends in .mp4',
    )
    parser.add_argument(
        '--key-frames',
        type=positive_int,
        default=16,
        metavar='N',
        help='at most N frames between key frames (default: 16)',
    )
    parser.add_argument(
        '--crf',
        type=int,
        default=20,
        choices=range(52),
        metavar='0..51',
        help='x264 quality, lower is better (default: 20)',
    )
    parser.add_argument(
        '--preset',
        default='medium',
        choices=PRESETS,
        help='x264 preset, slower is smaller (default: medium)',
    )
    add_job_options(parser, 600, 'keep')
    args = parser.parse_args(argv)

    require_outside(args.source, args.target)
    pairs = plan(args.source, args.target, args.keep_names)
    options = dict(
        short_side=args.short_side,
        size=args.size,
        upscale=args.upscale,
        key_frames=args.key_frames,
        crf=args.crf,
        preset=args.preset,
        allow_damaged=args.allow_damaged,
    )
    jobs = [
        Job(
            name,
            (str(args.source / name), str(args.target / out), options),
            args.source / name,
        )
        for name, out in pairs.items()
    ]

    def still_done(job: Job, outcome: Outcome) -> bool:
        path = Path(job.args[1])
        size = outcome.result['bytes_out']
        if outcome.result['note'] and not args.allow_damaged:
            return False
        return path.is_file() and path.stat().st_size == size

    report = run_jobs(
        resize_one,
        jobs,
        workers=args.workers,
        journal=args.target / '.resize_videos.jsonl',
        # --allow-damaged changes no result of a whole video; still_done
        # looks after the others
        params=dict(options, allow_damaged=False, names=args.keep_names),
        time_limit=args.time_limit,
        desc='resize',
        still_done=still_done,
        before=lambda own: remove_parts(job.args[1] for job in own),
        overwrite=args.overwrite,
        drop=lambda name: remove(args.target / pairs[name]),
        shard=args.shard,
    )
    before = sum(o.result['bytes_in'] for o in report.done)
    after = sum(o.result['bytes_out'] for o in report.done)
    share = f' ({1 - after / before:.0%} saved)' if before else ''
    print(
        f'{len(report.done)} of {len(report.outcomes)} videos are ready in '
        f'{args.target} ({report.skipped} from before), '
        f'{len(report.bad)} failed: {megabytes(before)} -> '
        f'{megabytes(after)}{share}'
    )
    report.print_notes()
    report.print_bad()
    return report.exit_code
