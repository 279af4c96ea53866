"""What check_videos, resize_videos and extract_flow share."""

import argparse
import contextlib
import os
from pathlib import Path, PurePosixPath
from typing import Any

from lgd_tools.cli import (
    ToolError,
    add_workers,
    list_videos,
    positive_int,
    read_list,
    require_dir,
)
from lgd_tools.jobs import Function, Job, run_jobs
from lgd_tools.journal import Outcome, Report


def parse_shard(text: str) -> tuple[int, int]:
    """argparse type: ``2/8`` -> (2, 8)."""
    with contextlib.suppress(ValueError, argparse.ArgumentTypeError):
        number, parts = map(positive_int, text.split('/'))
        if number <= parts:
            return number, parts
    raise argparse.ArgumentTypeError(
        f'{text!r} is not I/N with 1 <= I <= N, like 2/8'
    )


def add_job_options(
    parser: argparse.ArgumentParser, time_limit: float
) -> None:
    """Add --list, --time-limit (seconds), --shard and --workers."""
    add = parser.add_argument
    add('--list', type=Path, metavar='TXT', help='only videos of this list')
    # fmt: off
    add('--time-limit', type=float, default=time_limit, metavar='SECONDS',
        help='for one video (default: %(default)g)')
    add('--shard', type=parse_shard, metavar='I/N',
        help='do only part I of N, decided by the names; at the end the '
        'same command without it does the rest and reports on everything')
    # fmt: on
    add_workers(parser)


def add_result_options(parser: argparse.ArgumentParser) -> None:
    """Add source, target, --allow-damaged and --overwrite."""
    add = parser.add_argument
    add('source', type=Path, help='folder of videos')
    add('target', type=Path, help='folder for the results')
    # fmt: off
    add('--allow-damaged', action='store_true',
        help='use the frames that decode of a damaged video')
    add('--overwrite', action='store_true',
        help='make results of other options in the target again; without '
        'it they are refused, so that no target holds a mixture')
    # fmt: on


def read_rows(root: Path, listed: Path | None) -> list[tuple[str, list[int]]]:
    """(name, labels) of the videos of a list, else of all in a folder."""
    if listed:
        require_dir(root, 'video folder')
        rows = read_list(listed)
    else:
        rows = [(name, []) for name in list_videos(root)]
    if not rows:
        raise ToolError(f'no videos in {listed or root}')
    return rows


def options_of(args: argparse.Namespace, names: str) -> dict[str, Any]:
    """Some of the parsed options: what a result depends on."""
    return {name: getattr(args, name) for name in names.split()}


def stored_size(path: Path) -> int:
    """Files in a folder, or bytes of a file; 0 where there is neither."""
    if path.is_dir():
        return len(os.listdir(path))
    return path.stat().st_size if path.exists() else 0


def make_results(
    args: argparse.Namespace,
    function: Function,
    names: dict[str, str],
    options: str,
    desc: str,
) -> Report:
    """Make one file or folder of each video, resumably; say what became.

    Args:
        args: Parsed :func:`add_job_options`, :func:`add_result_options`.
        function: (source, target, options) -> result, with ``size``
            (:func:`stored_size`) and ``note`` (of damage).
        names: Of each video, and what its result is called.
        options: Those that a result depends on.
        desc: Of the progress bar; names the journal too.
    """
    if args.target.resolve().is_relative_to(args.source.resolve()):
        raise ToolError(
            f'the target {args.target} is the source folder {args.source} '
            'or lies inside it, where the next run would take results for '
            'sources: choose a target outside'
        )
    owner = {out: name for name, out in names.items()}
    for name, out in names.items():
        # a result may be a folder: that of x.mp4 beside that of x/y.mp4
        for path in (out, *map(str, PurePosixPath(out).parents)):
            other = owner.get(path, name)
            if other != name:
                raise ToolError(
                    f'the results of {other} and {name} would both lie in '
                    f'{path}: rename or remove one of them'
                )

    def still_done(job: Job, outcome: Outcome) -> bool:
        result = outcome.result
        usable = not result['note'] or args.allow_damaged
        return usable and stored_size(job.target) == result['size']

    # without --allow-damaged, which changes no result of a whole video
    params = options_of(args, options)
    jobs, work = [], dict(params, allow_damaged=args.allow_damaged)
    for name, out in names.items():
        source, target = args.source / name, args.target / out
        jobs.append(Job(name, (source, target, work), source, target))
    report = run_jobs(
        function,
        jobs,
        workers=args.workers,
        journal=args.target / f'.{desc}.jsonl',
        params=params,
        time_limit=args.time_limit,
        desc=desc,
        still_done=still_done,
        overwrite=args.overwrite,
        shard=args.shard,
    )
    print(
        f'{len(report.done)} of {len(report.outcomes)} videos are ready in '
        f'{args.target} ({report.skipped} from before), '
        f'{len(report.bad)} failed'
    )
    report.print_bad()
    return report
