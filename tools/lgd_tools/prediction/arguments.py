"""CONFIG and CHECKPOINT on the command line, or CHECKPOINT alone."""

import argparse
from collections.abc import Sequence

from lgd_tools.cli import ToolError, require_file

_CONFIGS = ('.py', '.json', '.yaml', '.yml')


def add_network(parser: argparse.ArgumentParser) -> None:
    """Add CONFIG and CHECKPOINT; :func:`parse_network` reads them."""
    add = parser.add_argument
    add('config', nargs='?', metavar='CONFIG',
        help='config of the training (default: the one that it wrote beside '
        'its checkpoints)')  # fmt: skip
    add('checkpoint', metavar='CHECKPOINT', help='what it saved')


def parse_network(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    rest: str | None = None,
) -> argparse.Namespace:
    """Parse a command line that begins with [CONFIG] CHECKPOINT.

    ``rest`` is the name of a third argument, of one or more files.
    """
    args = parser.parse_intermixed_args(argv)
    files = [args.config, args.checkpoint, *(vars(args)[rest] if rest else ())]
    files = [file for file in files if file is not None]
    if not files[0].endswith(_CONFIGS):
        files.insert(0, config_beside(files[0]))
    if len(files) < 2 + bool(rest):
        parser.error('give CONFIG and CHECKPOINT, or CHECKPOINT alone, first')
    args.config, args.checkpoint, *others = files
    if rest:
        setattr(args, rest, others)
    return args


def config_beside(checkpoint: str) -> str:
    """The config that a run wrote into the folder of its checkpoints.

    (The copy inside of a checkpoint is not taken: to read it would be to run
    what a checkpoint says.)
    """
    folder = require_file(checkpoint, 'checkpoint').parent
    found = list(folder.glob('*.py'))
    if len(found) != 1:
        raise ToolError(
            f'{len(found)} configs lie beside {checkpoint}: give its config '
            'before it'
        )
    return str(found[0])
