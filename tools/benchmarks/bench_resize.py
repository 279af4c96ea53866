"""Compare resize_videos' PyAV path with the ffmpeg program.

Same x264 preset, crf and key-frame distance, one thread each. Prints two
markdown tables (tools/data/README.md sums one run up): user processor time and
bytes, and what each makes of a file cut off at 60 %. The ffmpeg program is
any one, e.g. that of `pip install --target DIR imageio-ffmpeg`.
"""

import resource
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import av

from lgd_tools.cli import make_parser, positive_int, require_file, run_main
from lgd_tools.jobs import JobError
from lgd_tools.videos.resize_videos import count_frames, resize_one

EXAMPLE = """\
  python tools/benchmarks/bench_resize.py test.mp4 test.avi \\
      --ffmpeg ffmpeg_dir/imageio_ffmpeg/binaries/ffmpeg-*"""
OPTIONS = dict(
    size=None, key_frames=16, crf=20, preset='medium',
    allow_damaged=False,
)  # fmt: skip


def timed(who: int, function: Callable, *args: object) -> tuple[float, str]:
    """User seconds of this process or its children, and what it says."""
    start = resource.getrusage(who).ru_utime
    try:
        said = function(*args) or 'success'
    except JobError as error:
        said = f'fails: {error}'
    return resource.getrusage(who).ru_utime - start, said


def with_pyav(source: Path, out: Path, side: int) -> tuple[float, float, str]:
    """(seconds, seconds of verification, what it says)."""

    def resize() -> None:
        resize_one(source, out, dict(OPTIONS, short_side=side))

    spent, said = timed(resource.RUSAGE_SELF, resize)
    # once more what resize_one did at its end
    verified, _ = timed(resource.RUSAGE_SELF, frames_of, out)
    return spent - verified, verified, said


def with_ffmpeg(
    program: Path, source: Path, out: Path, side: int, strict: bool = False
) -> tuple[float, str]:
    """(seconds, what it says); strict adds -xerror -err_detect explode."""
    every = OPTIONS['key_frames']
    words = [str(program), '-v', 'error', '-nostdin', '-y']
    words += ['-xerror', '-err_detect', 'explode'] if strict else []
    words += ['-threads', '1', '-i', str(source)]
    words += (
        f'-an -sn -filter_threads 1 -vf scale=-2:{side}:flags=bicubic '
        '-fps_mode passthrough -pix_fmt yuv420p -c:v libx264 '
        f'-preset {OPTIONS["preset"]} -crf {OPTIONS["crf"]} -g {every} '
        f'-x264-params keyint={every}:min-keyint=1 -threads 1'
    ).split()

    def run() -> str:
        done = subprocess.run(
            [*words, str(out)], capture_output=True, text=True
        )
        lines = done.stderr.strip().splitlines()
        first = f': {lines[0]}' if lines else ''
        return f'exit code {done.returncode}, {len(lines)} lines{first}'

    return timed(resource.RUSAGE_CHILDREN, run)


def frames_of(path: Path) -> int:
    try:
        return count_frames(path) if path.exists() else 0
    except JobError:
        return 0


def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument('videos', nargs='+', type=Path)
    parser.add_argument('--ffmpeg', type=Path, required=True, metavar='FILE')
    parser.add_argument('--repeat', type=positive_int, default=3, metavar='N')
    args = parser.parse_args(argv)
    for path in [*args.videos, args.ffmpeg]:
        require_file(path, 'file')
    print(
        f'PyAV {av.__version__}\n\n| clip | short side | PyAV, s | verifying, '
        's | ffmpeg, s | PyAV, bytes | ffmpeg, bytes | frames |\n'
        + '|---' * 8
        + '|'
    )
    with tempfile.TemporaryDirectory() as folder:
        outs = Path(folder, 'a.mp4'), Path(folder, 'b.mp4')
        for side in (120, 240):
            for video in args.videos:
                times = [
                    (
                        *with_pyav(video, outs[0], side)[:2],
                        with_ffmpeg(args.ffmpeg, video, outs[1], side)[0],
                    )
                    for _ in range(args.repeat)
                ]
                best = [f'{min(t):.2f}' for t in zip(*times, strict=True)]
                sizes = [str(out.stat().st_size) for out in outs]
                counts = ' / '.join(str(frames_of(out)) for out in outs)
                cells = [video.name, str(side), *best, *sizes, counts]
                print(f'| {" | ".join(cells)} |')
        print('\n| cut at 60 % | PyAV path | ffmpeg | ffmpeg, strict |')
        print('|---' * 4 + '|')
        for video in args.videos:
            cut = Path(folder, f'cut{video.suffix}')
            data = video.read_bytes()
            cut.write_bytes(data[: len(data) * 6 // 10])
            outs[0].unlink(missing_ok=True)
            cells = [video.name, with_pyav(cut, outs[0], 120)[2]]
            for strict in (False, True):
                outs[1].unlink(missing_ok=True)
                _, said = with_ffmpeg(args.ffmpeg, cut, outs[1], 120, strict)
                cells.append(f'{said}; leaves {frames_of(outs[1])} frames')
            print(f'| {" | ".join(cells)} |')
    return 0


if __name__ == '__main__':
    run_main(main)
