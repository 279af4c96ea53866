"""Options of the commands that make a file out of each video."""

import argparse
from pathlib import Path

from lgd_tools.cli import ToolError, add_workers, positive_int


def parse_shard(text: str) -> tuple[int, int]:
    """argparse type: ``2/8`` -> (2, 8)."""
    try:
        number, parts = (positive_int(part) for part in text.split('/'))
        if number <= parts:
            return number, parts
    except (ValueError, argparse.ArgumentTypeError):
        pass
    raise argparse.ArgumentTypeError(
        f'{text!r} is not I/N with 1 <= I <= N, like 2/8'
    )


def add_shard(parser: argparse.ArgumentParser) -> None:
    """Add ``--shard``."""
    parser.add_argument(
        '--shard',
        type=parse_shard,
        metavar='I/N',
        help='do only part I of N, decided by the names, with a journal of '
        'its own; join_shards.py joins the journals',
    )


def add_job_options(
    parser: argparse.ArgumentParser, time_limit: float, damaged: str
) -> None:
    """Add --allow-damaged, --overwrite, --time-limit, --shard, --workers.

    Args:
        parser: Gets them.
        time_limit: Default seconds for one video.
        damaged: What --allow-damaged does with the frames that decode.
    """
    parser.add_argument(
        '--allow-damaged',
        action='store_true',
        help=f'{damaged} the frames that decode of a damaged video',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='make results of other options in the target again; without '
        'it they are refused, so that no target holds a mixture',
    )
    parser.add_argument(
        '--time-limit',
        type=float,
        default=time_limit,
        metavar='SECONDS',
        help='for one video (default: %(default)g)',
    )
    add_shard(parser)
    add_workers(parser)


def require_outside(source: Path, target: Path) -> None:
    """Check that results cannot be taken for sources, or replace them.

    Raises:
        ToolError: The target is the source folder or lies inside it.
    """
    if target.resolve().is_relative_to(source.resolve()):
        raise ToolError(
            f'the target {target} is the source folder {source} or lies '
            'inside it, where the next run would take results for sources: '
            'choose a target outside'
        )
