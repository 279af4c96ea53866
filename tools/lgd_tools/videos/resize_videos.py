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
from fractions import Fraction
from pathlib import Path

import av

from lgd_tools.cli import (
    ToolError,
    list_videos,
    make_parser,
    positive_int,
)
from lgd_tools.jobs import Job, JobError, Outcome, run_jobs
from lgd_tools.video_frames import VideoFile
from lgd_tools.videos.job_options import add_job_options
from lgd_tools.videos.part_files import (
    part_name,
    remove,
    remove_parts,
    require_outside,
)

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


def parse_size(text: str) -> tuple[int, int]:
    """argparse type: ``320x240`` -> (320, 240), both even."""
    import argparse

    try:
        width, height = (int(part) for part in text.lower().split('x'))
    except ValueError:
        width = height = 0
    if min(width, height) < 2 or width % 2 or height % 2:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not WIDTHxHEIGHT with even numbers, like 320x240'
        )
    return width, height


def count_frames(path: str | os.PathLike) -> int:
    """Frames that really decode."""
    with VideoFile(path) as video:
        return sum(1 for _ in video._raw())


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
    final.parent.mkdir(parents=True, exist_ok=True)
    part = part_name(final)
    try:
        with VideoFile(source, options['allow_damaged']) as video:
            written, size = _encode(video, part, options)
            note = video.damage()
        found = count_frames(part)
        if found != written:
            raise JobError(
                f'the result holds {found} frames instead of {written}: '
                'report this file'
            )
        os.replace(part, final)
    finally:
        part.unlink(missing_ok=True)
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
    every, written, last, stream = options['key_frames'], 0, -1, None
    frames = video.frames(
        'yuv420p', options['short_side'], options['size'], options['upscale']
    )
    with av.open(str(part), 'w', format='mp4') as out:
        for frame in frames:
            if stream is None:
                # an encoder's rate field is 16 bit in places: keep it small
                rate = Fraction(video.rate).limit_denominator(1001)
                stream = out.add_stream('libx264', rate=rate)
                stream.width, stream.height = frame.width, frame.height
                stream.pix_fmt = 'yuv420p'
                stream.time_base = Fraction(1, CLOCK)
                stream.codec_context.time_base = Fraction(1, CLOCK)
                stream.codec_context.gop_size = every
                stream.codec_context.thread_count = 1
                stream.options = dict(
                    crf=str(options['crf']),
                    preset=options['preset'],
                    # a cut may add key frames, none may be further apart
                    **{'x264-params': f'keyint={every}:min-keyint=1'},
                )
                first = frame.time
            # two frames may carry one time stamp; the encoder wants order
            time = round((frame.time - first) * CLOCK)
            last = frame.pts = max(time, last + 1)
            frame.time_base = Fraction(1, CLOCK)
            frame.pict_type = 0  # the encoder chooses
            out.mux(stream.encode(frame))
            written += 1
        out.mux(stream.encode(None))
        return written, (stream.width, stream.height)


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
        type=parse_size,
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
        before=lambda: remove_parts(args.target),
        overwrite=args.overwrite,
        drop=lambda name: remove(args.target / pairs[name]),
    )
    before = sum(o.result['bytes_in'] for o in report.done)
    after = sum(o.result['bytes_out'] for o in report.done)
    share = f' ({1 - after / before:.0%} saved)' if before else ''
    print(
        f'{len(report.done)} of {len(jobs)} videos are ready in '
        f'{args.target} ({report.skipped} from before), '
        f'{len(report.bad)} failed: {megabytes(before)} -> '
        f'{megabytes(after)}{share}'
    )
    report.print_notes()
    report.print_bad()
    return report.exit_code
