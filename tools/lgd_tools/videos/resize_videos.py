"""Re-encode videos to a short side with close key frames, resumably.

Training reads a few frames at random places: small pictures decode faster,
and a key frame every ``--key-frames`` frames bounds what has to be decoded
to reach one. Written with PyAV: its wheels bring FFmpeg's libraries with
libx264, so no system ffmpeg is needed and every machine encodes alike.

H.264 yuv420p in mp4; sound and subtitles are dropped; time stamps (also
variable frame rates) and the number of frames are kept, which is verified by
decoding every result before it gets its name. Rotation metadata is applied
to the pixels; pictures are never enlarged.
"""

import os
from pathlib import Path

from lgd_mmaction.files import atomic_path
from lgd_tools.cli import make_parser, parse_size, positive_int
from lgd_tools.jobs import JobError
from lgd_tools.video import (
    Encoder,
    VideoFile,
    check_video_size,
    count_frames,
)
from lgd_tools.videos import command

# divisible by every usual frame rate, fine enough for any variable one
CLOCK = 90000

EXAMPLE = """\
  # 120 pixels (LGD-3D), same folders, files end in .mp4
  python tools/data/resize_videos.py raw/videos_train \\
      data/kinetics400/videos_train --short-side 120
  # the exact 320x240 of the paper's LGD-2D, file names unchanged, so that
  # lists which name .avi files stay valid
  python tools/data/resize_videos.py raw/ucf101 data/ucf101/videos \\
      --size 320x240 --keep-names
Run the same command again to continue or to repeat what failed."""


def resize_one(source: Path, target: Path, options: dict) -> dict:
    """Re-encode one file; the target appears only when it is verified."""
    size = options['short_side'], options['size']
    quality = options['crf'], options['preset'], options['key_frames']
    with atomic_path(target) as part:
        with (
            VideoFile(source, options['allow_damaged']) as video,
            Encoder(part, video.rate, *quality, clock=CLOCK) as out,
        ):
            first = None
            for frame in video.frames('yuv420p', *size):
                first = frame.time if first is None else first
                out.add(frame, frame.time - first)
            note = video.damage()
        found = count_frames(part)
        if found != out.count:
            raise JobError(
                f'the result holds {found} frames instead of {out.count}: '
                'report this file'
            )
    return dict(
        frames=out.count,
        width=out.size[0],
        height=out.size[1],
        size_before=os.path.getsize(source),
        size=target.stat().st_size,
        note=note,
    )


def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    command.add_result_options(parser)
    size = parser.add_mutually_exclusive_group(required=True)
    # fmt: off
    size.add_argument('--short-side', type=positive_int, metavar='N',
        help='shorter side in pixels, the ratio is kept; sides are even')
    size.add_argument('--size', type=parse_size, metavar='WxH',
        help='exact size in pixels, the ratio is not kept')
    add = parser.add_argument
    add('--keep-names', action='store_true',
        help='keep .avi and so on in the names (the content is mp4, which '
        'readers see); else every result ends in .mp4')
    add('--key-frames', type=positive_int, default=16, metavar='N',
        help='at most N frames between key frames (default: 16)')
    add('--crf', type=int, default=20, choices=range(52), metavar='0..51',
        help='x264 quality, lower is better (default: 20)')
    add('--preset', default='medium',
        choices=('veryfast', 'fast', 'medium', 'slow', 'slower'),
        help='x264 preset, slower is smaller (default: medium)')
    # fmt: on
    command.add_job_options(parser, 600)
    args = parser.parse_args(argv)

    if args.size:
        check_video_size(args.size[::-1])
    rows = command.read_rows(args.source, args.list)
    names = {
        name: name if args.keep_names else f'{os.path.splitext(name)[0]}.mp4'
        for name, _ in rows
    }
    options = 'short_side size key_frames crf preset'
    report = command.make_results(
        args, resize_one, names, options, 'resize_videos'
    )
    before = sum(o.result['size_before'] for o in report.done)
    after = sum(o.result['size'] for o in report.done)
    print(f'{before / 1e6:.1f} MB -> {after / 1e6:.1f} MB')
    return report.exit_code
