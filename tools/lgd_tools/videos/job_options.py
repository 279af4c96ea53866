"""Options of the commands that make a file out of each video."""

import argparse

from lgd_tools.cli import add_workers


def add_job_options(
    parser: argparse.ArgumentParser, time_limit: float, damaged: str
) -> None:
    """Add --allow-damaged, --overwrite, --time-limit and --workers.

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
    add_workers(parser)
