"""What the converters share: options, checks, links, lists and report.

A converter reads its annotation files into lists of :class:`Clip`, one a
split, and hands them to a :class:`Conversion`. Nothing is linked or listed
before everything has been read and checked.
"""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
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
from lgd_tools.lists.clip_list import ClipList, report_lines
from lgd_tools.lists.clips import (
    Clip,
    Links,
    VideoIndex,
    clip_stems,
    count_flows,
    name_key,
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

    All file names begin with ``prefix``; ``args`` are parsed
    :func:`add_conversion_arguments`, ``classes`` are names by index.
    """

    def __init__(
        self, prefix: str, args: argparse.Namespace, classes: Sequence[str]
    ) -> None:
        self.prefix, self.args, self.out = prefix, args, args.out
        self.classes = classes
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
        # the splits share folders
        self._videos_under = cache(VideoIndex)
        self._count_flows = cache(count_flows)
        self._links = cache(lambda dest: Links(self.out / dest))

    def find(
        self, clips: Sequence[Clip], root: Path, key: Callable = name_key
    ) -> None:
        """Look for the clips under a folder; see :class:`VideoIndex`."""
        for clip in clips:
            clip.root = root
            if not self.args.no_check_videos:
                clip.path = self._videos_under(root, key).find(clip)

    def screen(self, clips: Sequence[Clip]) -> list[Clip]:
        """The usable clips; the others go into the report."""
        clips = self._check(clips, self._video)
        self.screened.append(ClipList('all videos', 'videos', clips))
        return [clip for clip in clips if not clip.problem]

    def add_split(
        self,
        name: str,
        clips: Sequence[Clip],
        notes: Counter | None = None,
        frames_root: Path | None = None,
        suffix: str = '',
    ) -> None:
        """List the videos of a split, and the flow under ``frames_root``.

        ``name`` is the middle of the file names, 'train_list', ``suffix`` the
        end of the configs' data_prefix, '_train'; for ``notes`` see ClipList.
        """
        kinds = {'videos': self._video}
        if frames_root is not None:
            root = require_dir(frames_root, 'frame folder')
            kinds['rawframes'] = partial(self._flow, root=root)
        for kind, look in kinds.items():
            title, dest = f'{self.prefix}_{name}_{kind}.txt', f'{kind}{suffix}'
            checked = self._check(clips, look)
            self.lists.append(ClipList(title, dest, checked, Counter(notes)))
            notes = None

    def finish(self) -> int:
        """Link, write label map, lists and report; print it; the exit code."""
        rows = {listed.title: self._rows(listed) for listed in self.lists}
        write_lines(self.out / 'label_map.txt', self.classes)
        for title, lines in rows.items():
            write_lines(self.out / title, lines)
        summaries = {
            told.title: told.summary() for told in self.screened + self.lists
        }
        self._report(summaries)
        print(f'\nwrote {len(rows)} lists to {printable(str(self.out))}')
        problems = {p for told in summaries.values() for p in told['left_out']}
        incomplete = problems - {'excluded'} and not self.args.allow_missing
        return EXIT_INCOMPLETE if incomplete else EXIT_OK

    # ------------------------------------------------------------- private
    def _check(
        self, clips: Sequence[Clip], look: Callable[[Clip], Clip]
    ) -> list[Clip]:
        def check(clip: Clip) -> Clip:
            if self.excluded:
                names = {printable(name) for name in clip_stems(clip)}
                if matched := names & self.excluded.keys():
                    self.matched |= matched
                    return replace(clip, problem='excluded')
            return look(clip)

        return run_threads(check, clips, self.args.workers, 'checking')

    def _video(self, clip: Clip) -> Clip:
        if self.args.no_check_videos:
            return replace(clip, path=safe_name(clip.name))
        if not clip.path:
            return replace(clip, problem='missing')
        try:
            if (clip.root / clip.path).stat().st_size:
                return clip
        except OSError as error:
            detail = f'{clip.path}: {error.strerror}'
            return replace(clip, problem='unreadable', detail=detail)
        return replace(clip, problem='empty', detail=clip.path)

    def _flow(self, clip: Clip, root: Path) -> Clip:
        names = clip_stems(clip)
        name = next((name for name in names if (root / name).is_dir()), '')
        clip = replace(clip, root=root, path=name)
        if not name:
            return replace(clip, problem='missing')
        total, fault = self._count_flows(root / name)
        if fault:
            detail = f'{name}: {fault}'
            return replace(clip, problem='unreadable', detail=detail)
        return replace(clip, total=total)

    def _rows(self, listed: ClipList) -> list[str]:
        """Link the clips of a list; its lines."""
        place, rows = self._links(listed.dest).place, []
        for clip in listed.clips:
            if clip.problem:
                continue
            name = clip.path
            if clip.total is not None or not self.args.no_check_videos:
                name = place(clip.root, name)
            words = name, clip.total, clip.label
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
            classes=len(self.classes),
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
