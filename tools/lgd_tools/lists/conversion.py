"""What the converters share: options, checks, links, lists and report.

A converter reads its annotation files into :class:`clips.Clip` lists, one a
split, and hands them to a :class:`Conversion`. Nothing is linked or listed
before everything has been read and checked.
"""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

from lgd_tools.cli import (
    EXIT_INCOMPLETE,
    EXIT_OK,
    VIDEO_EXTENSIONS,
    add_workers,
    printable,
    read_lines,
    require_dir,
    warn,
    write_json,
    write_lines,
)
from lgd_tools.lists.clip_list import ClipList, Entry, report_lines
from lgd_tools.lists.clips import (
    Clip,
    Links,
    clip_stems,
    count_flows,
    file_problem,
    run_threads,
    safe_name,
)


def add_conversion_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every converter has."""
    add = parser.add_argument
    # fmt: off
    add('--out', type=Path, required=True, metavar='DIR',
        help='data folder of the configs: lists, label map, report, links')
    add('--no-check-videos', action='store_true',
        help='list every annotated clip under its official name, without '
        'looking for it')
    add('--exclude', type=Path, nargs='+', default=(), metavar='FILE',
        help='leave out the clips named here, one a line, relative to the '
        'folder of the videos, with or without extension: bad.txt of '
        'check_videos.py; the exit code does not count them')
    add('--rawframes', type=Path, metavar='DIR',
        help='also write *_rawframes.txt for the flow that extract_flow.py '
        'put under DIR (Kinetics: DIR may hold rawframes_train/ and '
        'rawframes_val/, or train/ and val/)')
    add('--allow-missing', action='store_true',
        help='exit with 0, not 1, when clips had to be left out')
    # fmt: on
    add_workers(parser)


class Conversion:
    """Checks clips, links them under the data folder, writes the lists.

    Args:
        prefix: Start of the file names, 'kinetics400'.
        args: Parsed :func:`add_conversion_arguments`.
        class_names: Names in the order of the class index.
    """

    def __init__(
        self,
        prefix: str,
        args: argparse.Namespace,
        class_names: Sequence[str],
    ) -> None:
        self.prefix, self.args, self.out = prefix, args, args.out
        self.class_names = class_names
        self.excluded: dict[str, str] = {}  # without extension: as written
        for path in args.exclude:
            for _, text in read_lines(path, 'list of excluded videos'):
                stem, extension = os.path.splitext(text)
                video = extension.lower() in VIDEO_EXTENSIONS
                name = stem if video else text
                self.excluded[name.removeprefix('./')] = text
        self.matched: set[str] = set()  # of those
        self.screened: list[ClipList] = []  # in the report only
        self.lists: list[ClipList] = []
        # the three splits hold the same folders
        self._count_flows = cache(count_flows)

    def screen(self, clips: Sequence[Clip]) -> list[Clip]:
        """The usable clips; the others go into the report."""
        entries = self._entries(clips, self._video)
        root = clips[0].root
        self.screened.append(ClipList('all videos', root, 'videos', entries))
        return [entry.clip for entry in entries if not entry.problem]

    def add_split(
        self,
        name: str,
        clips: Sequence[Clip],
        notes: Counter | None = None,
        frames_root: Path | None = None,
        suffix: str = '',
    ) -> None:
        """List the videos and the frame folders of one split.

        Args:
            name: Middle of the file names: 'train_list'.
            clips: The clips of the split.
            notes: Annotation rows that were ignored, by reason.
            frames_root: Folder of the frame folders; None: no such list.
            suffix: End of the configs' data_prefix: '_train'.

        Raises:
            ToolError: The split is empty, or no clip is usable.
        """
        name = f'{self.prefix}_{name}'
        entries = self._entries(clips, self._video)
        root, dest = clips[0].root if clips else None, f'videos{suffix}'
        title, notes = f'{name}_videos.txt', Counter(notes)
        self.lists.append(ClipList(title, root, dest, entries, notes))
        if frames_root is not None:
            root = require_dir(frames_root, 'frame folder')
            entries = self._entries(clips, partial(self._flow, root=root))
            title, dest = f'{name}_rawframes.txt', f'rawframes{suffix}'
            self.lists.append(ClipList(title, root, dest, entries))

    def finish(self) -> int:
        """Link, write label map, lists and report; print it; the exit code."""
        links: dict[Path, Links] = {}
        rows = [self._rows(clip_list, links) for clip_list in self.lists]
        write_lines(self.out / 'label_map.txt', self.class_names)
        for clip_list, lines in zip(self.lists, rows, strict=True):
            write_lines(self.out / clip_list.title, lines)
        summaries = {
            told.title: told.summary() for told in self.screened + self.lists
        }
        self._report(summaries)
        print(f'\nwrote {len(rows)} lists to {printable(str(self.out))}')
        problems = {p for told in summaries.values() for p in told['left_out']}
        incomplete = problems - {'excluded'} and not self.args.allow_missing
        return EXIT_INCOMPLETE if incomplete else EXIT_OK

    # ------------------------------------------------------------- private
    def _entries(
        self, clips: Sequence[Clip], look: Callable[[Clip], Entry]
    ) -> list[Entry]:
        def entry(clip: Clip) -> Entry:
            if self.excluded:
                names = {printable(name) for name in clip_stems(clip)}
                if matched := names & self.excluded.keys():
                    self.matched |= matched
                    return Entry(clip, problem='excluded')
            return look(clip)

        return run_threads(entry, clips, self.args.workers, 'checking')

    def _video(self, clip: Clip) -> Entry:
        if self.args.no_check_videos:
            return Entry(clip, safe_name(clip.name))
        return Entry(clip, clip.path or '', *file_problem(clip))

    def _flow(self, clip: Clip, root: Path) -> Entry:
        names = clip_stems(clip)
        name = next((name for name in names if (root / name).is_dir()), '')
        if not name:
            return Entry(clip, problem='missing')
        total, fault = self._count_flows(root / name)
        if fault:
            return Entry(clip, name, 'unreadable', f'{name}: {fault}')
        return Entry(clip, name, total=total)

    def _rows(self, clip_list: ClipList, links: dict[Path, Links]) -> list:
        """Link the clips of a list; its lines."""
        dest = self.out / clip_list.dest
        place = links.setdefault(dest, Links(dest)).place
        rows = []
        for entry in clip_list.entries:
            if entry.problem:
                continue
            name = entry.path
            if entry.total is not None or not self.args.no_check_videos:
                name = place(clip_list.root, name)
            words = name, entry.total, entry.clip.label
            rows.append(' '.join(str(w) for w in words if w is not None))
        return rows

    def _report(self, summaries: dict[str, dict]) -> None:
        keys = sorted(self.excluded.keys() - self.matched)
        unmatched = [self.excluded[key] for key in keys]
        if unmatched:
            some = ', '.join(unmatched[:5] + ['...'] * (len(unmatched) > 5))
            warn(
                f'{len(unmatched)} names of --exclude match no clip: {some}; '
                'they must be relative to the folder of the videos'
            )
        data = dict(
            data_set=self.prefix,
            classes=len(self.class_names),
            videos_checked=not self.args.no_check_videos,
            excluded_names_without_clip=unmatched,
            lists=summaries,
        )
        write_json(self.out / f'{self.prefix}_report.json', data)
        text = report_lines(summaries)
        if self.args.no_check_videos:
            text.append('videos were not looked for (--no-check-videos)')
        text = [printable(line) for line in text]
        write_lines(self.out / f'{self.prefix}_report.txt', text)
        print('\n'.join(text))
