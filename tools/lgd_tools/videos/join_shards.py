"""Join the journals of a run that was shared out, and say what is missing.

After ``--shard 1/N`` to ``--shard N/N`` of check_videos.py, resize_videos.py
or extract_flow.py, on one machine or many, their journals become one. Then
the same command without --shard continues as if it had done it all: it does
what is missing, and writes the list or the report of everything.

Prints how many videos are done, failed and missing, and the names of the
last two (all of them go into --missing-out). Exit code 1: not all are done.
"""

import contextlib
import re
from pathlib import Path

from lgd_mmaction.files import remove
from lgd_tools.cli import (
    EXIT_INCOMPLETE,
    EXIT_OK,
    ToolError,
    make_parser,
    require_dir,
    write_lines,
)
from lgd_tools.journal import DONE, Journal, print_some
from lgd_tools.videos.command import read_rows

EXAMPLE = """\
  python tools/data/join_shards.py data/kinetics400/videos_train \\
      --videos raw/videos_train
  # of check_videos.py: the folder of its --out
  python tools/data/join_shards.py work_dirs/check_k400_train \\
      --videos data/kinetics400/videos_train"""


def find_shards(folder: Path) -> tuple[Path, list[Path]]:
    """The journal of a folder, ``NAME.jsonl``, and those of its shards.

    Raises:
        ToolError: There is none, or there are journals of two commands.
    """
    found = sorted(folder.glob('*.jsonl'))
    joined = {re.sub(r'\.\d+of\d+\.jsonl$', '.jsonl', str(p)) for p in found}
    if len(joined) != 1:
        some = ', '.join(path.name for path in found) or 'none'
        raise ToolError(
            f'{folder} must hold the journals of one command, and holds '
            f'{some}: name the target of the run (--out of check_videos.py)'
        )
    whole = Path(*joined)
    return whole, [path for path in found if path != whole]


def join(whole: Path, shards: list[Path]) -> Journal:
    """One journal out of many; those of the shards are removed.

    Raises:
        ToolError: A shard is still running.
    """
    with contextlib.ExitStack() as stack:
        # locked until the end
        books = [stack.enter_context(Journal(path)) for path in shards]
        joined = stack.enter_context(Journal(whole))
        for book in books:
            for outcome in book.entries.values():
                joined.add(outcome)
        for path in shards:
            remove(path)
    return joined


def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        'target',
        type=Path,
        help='folder of the results: the target, or --out of check_videos.py',
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        '--videos', type=Path, metavar='DIR', help='folder of the videos'
    )
    source.add_argument(
        '--list',
        type=Path,
        metavar='TXT',
        help='the `path label` list of the videos that the run was given',
    )
    parser.add_argument(
        '--missing-out',
        type=Path,
        metavar='TXT',
        help='write the names of the missing and failed videos here',
    )
    args = parser.parse_args(argv)
    whole, shards = find_shards(require_dir(args.target, 'folder of results'))
    rows = read_rows(args.videos or args.target, args.list)
    names = dict.fromkeys(name for name, _ in rows)
    known = join(whole, shards).entries
    missing = [name for name in names if name not in known]
    bad = [n for n in names if n in known and known[n].status != DONE]
    print(
        f'{whole}: {len(shards)} shards joined; {len(names)} videos, '
        f'{len(names) - len(missing) - len(bad)} done, {len(bad)} failed, '
        f'{len(missing)} missing'
    )
    print_some([f'  {name}: missing' for name in missing])
    print_some([f'  {name}: {known[name].error}' for name in bad])
    if args.missing_out:
        write_lines(args.missing_out, [*missing, *bad])
    return EXIT_INCOMPLETE if missing or bad else EXIT_OK
