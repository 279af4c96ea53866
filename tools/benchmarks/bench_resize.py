"""Compare resize_videos' PyAV path with the ffmpeg program.

Same x264 preset, crf and key-frame distance, one thread each. Prints two
markdown tables (docs/resize.md holds one run): user processor time and
bytes, and what each makes of a file cut off at 60 %. The ffmpeg program is
any one, e.g. that of `pip install --target DIR imageio-ffmpeg`.
"""

import argparse
import os
import resource
import subprocess
import tempfile
from pathlib import Path

import av

from lgd_tools.cli import require_file, run_main
from lgd_tools.jobs import JobError
from lgd_tools.videos.resize_videos import count_frames, resize_one

OPTIONS = dict(
    size=None,
    key_frames=16,
    crf=20,
    preset='medium',
    allow_damaged=False,
)


def user_time(who: int) -> float:
    return resource.getrusage(who).ru_utime


def with_pyav(source: Path, out: Path, side: int) -> tuple[float, float, str]:
    """(seconds in all, of which verification, message)."""
    options, message = dict(OPTIONS, short_side=side), 'success'
    start = user_time(resource.RUSAGE_SELF)
    try:
        resize_one(source, out, options)
    except JobError as error:
        message = f'fails: {error}'
    middle = user_time(resource.RUSAGE_SELF)
    if out.exists():
        count_frames(out)  # once more what resize_one did at its end
    end = user_time(resource.RUSAGE_SELF)
    return middle - start, end - middle, message


def with_ffmpeg(
    program: Path, source: Path, out: Path, side: int, strict: bool = False
) -> tuple[float, str]:
    """(seconds, message); strict adds -xerror -err_detect explode."""
    scale = f'-2:{side}:flags=bicubic'  # for pictures wider than high
    every = OPTIONS['key_frames']
    command = [str(program), '-v', 'error', '-nostdin', '-y']
    command += ['-xerror', '-err_detect', 'explode'] if strict else []
    command += ['-threads', '1', '-i', str(source), '-an', '-sn']
    command += ['-filter_threads', '1', '-vf', f'scale={scale}']
    command += ['-fps_mode', 'passthrough', '-pix_fmt', 'yuv420p']
    command += ['-c:v', 'libx264', '-preset', OPTIONS['preset']]
    command += ['-crf', str(OPTIONS['crf']), '-g', str(every)]
    command += ['-x264-params', f'keyint={every}:min-keyint=1']
    command += ['-threads', '1', str(out)]
    start = user_time(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = user_time(resource.RUSAGE_CHILDREN) - start
    lines = done.stderr.strip().splitlines()
    text = 'success' if done.returncode == 0 else 'fails'
    if done.returncode and not strict and not out.exists():
        text += f': {lines[-1]}' if lines else ''
    text += f' (exit code {done.returncode})'
    text += f', {len(lines)} lines of text' if lines else ', says nothing'
    return seconds, text


def frames_of(path: Path) -> int:
    try:
        return count_frames(path) if path.exists() else 0
    except JobError:
        return 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('videos', nargs='+', type=Path)
    parser.add_argument('--ffmpeg', type=Path, required=True, metavar='FILE')
    parser.add_argument('--repeat', type=int, default=3, metavar='N')
    args = parser.parse_args(argv)
    for path in [*args.videos, args.ffmpeg]:
        require_file(path, 'file')
    version = subprocess.run(
        [str(args.ffmpeg), '-version'], capture_output=True, text=True
    ).stdout.split('\n')[0]
    print(f'PyAV {av.__version__}; {version}\n')
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, 'a.mp4'), Path(folder, 'b.mp4')
        print(
            '| clip | short side | PyAV, s | verifying, s | ffmpeg, s ', end=''
        )
        print('| PyAV, bytes | ffmpeg, bytes | frames |\n' + '|---' * 8 + '|')
        for side in (120, 240):
            for video in args.videos:
                ours, check, theirs = [], [], []
                for _ in range(args.repeat):
                    spent, verified, _ = with_pyav(video, first, side)
                    ours.append(spent - verified)
                    check.append(verified)
                    theirs.append(
                        with_ffmpeg(args.ffmpeg, video, second, side)[0]
                    )
                sizes = [os.path.getsize(p) for p in (first, second)]
                counts = {frames_of(p) for p in (first, second)}
                print(
                    f'| {video.name} | {side} | {min(ours):.2f} '
                    f'| {min(check):.2f} | {min(theirs):.2f} | {sizes[0]} '
                    f'| {sizes[1]} | {" / ".join(map(str, counts))} |'
                )
        print('\n| cut at 60 % | PyAV path | ffmpeg | ffmpeg, strict |')
        print('|---|---|---|---|')
        for video in args.videos:
            cut = Path(folder, f'cut{video.suffix}')
            data = video.read_bytes()
            cut.write_bytes(data[: len(data) * 6 // 10])
            first.unlink(missing_ok=True)
            cells = [with_pyav(cut, first, 120)[2]]
            for strict in (False, True):
                second.unlink(missing_ok=True)
                text = with_ffmpeg(args.ffmpeg, cut, second, 120, strict)[1]
                cells.append(f'{text}, leaves {frames_of(second)} frames')
            print(f'| {video.name} | {" | ".join(cells)} |')
    return 0


if __name__ == '__main__':
    run_main(main)
