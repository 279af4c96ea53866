"""The converters' common work: checking, linking and listing clips.

A converter reads its annotation files into :class:`clips.Clip` lists, one a
split, and hands them to a :class:`Conversion`, which checks, links and
lists them. Nothing is linked or listed before everything has been read and
checked.
"""

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lgd_tools.cli import (
    EXIT_INCOMPLETE,
    EXIT_OK,
    ToolError,
    printable,
    require_dir,
    warn,
    write_json,
    write_lines,
)
from lgd_tools.lists.clips import (
    Clip,
    Placer,
    check_files,
    count_frames,
    find_frames,
    run_threads,
    safe_name,
)
from lgd_tools.lists.conversion_report import Section, report_lines
from lgd_tools.lists.exclusion import Exclusion

# Names without extension that the files of a clip may have.
Stems = Callable[[Clip], Iterable[str]]


@dataclass
class PendingList:
    """One list while it is not yet known which clips it will hold.

    Args:
        section: Its part of the report; the title is the file name.
        clips: The clips of the split.
        root: Folder that was searched.
        dest: The configs' data_prefix under the data folder.
        names: Where each clip was found under ``root``, '' where it is not.
        totals: Number of pictures of each clip; None in lists of videos.
        found: ``(kind, detail)`` of what is wrong with each clip.
        placed: False where nothing was looked for, so there is no link.
    """

    section: Section
    clips: Sequence[Clip]
    root: Path
    dest: str
    names: list[str]
    totals: list[int] | None
    found: list[tuple[str, str]]
    placed: bool = True


class Conversion:
    """Checks clips, links them under the data folder, writes the lists.

    Args:
        prefix: Start of the file names, 'kinetics400'.
        args: Parsed :func:`conversion_args.add_conversion_arguments`.
        class_names: Names in the order of the class index.
        any_extension: See :class:`exclusion.Exclusion`.
    """

    def __init__(
        self,
        prefix: str,
        args: argparse.Namespace,
        class_names: Sequence[str],
        any_extension: bool = True,
    ) -> None:
        if args.common and (args.rawframes is None or args.no_check_videos):
            raise ToolError(
                '--common compares videos and frame folders: give '
                '--rawframes, and leave --no-check-videos out'
            )
        self.prefix = prefix
        self.args = args
        self.out: Path = args.out
        self.class_names = list(class_names)
        self.exclusion = Exclusion(args.exclude, any_extension)
        self.sections: list[Section] = []
        self.pending: list[PendingList] = []
        self.pairs: list[tuple[PendingList, PendingList]] = []
        self._placers: dict[Path, Placer] = {}
        self._prefixes: set[str] = set()
        # the three splits hold the same clips: look at each once
        self._checked: dict[Path, tuple[str, str]] = {}
        self._counted: dict[Path, tuple[int, str]] = {}

    # -------------------------------------------------------------- clips
    def screen(self, clips: Sequence[Clip], stems: Stems) -> list[Clip]:
        """The usable clips; the others go into the report."""
        section = self._section('all videos', clips, Counter())
        good = []
        found = self._check(clips, stems, 'videos')
        for clip, (kind, detail) in zip(clips, found, strict=True):
            if kind:
                section.drop(clip, kind, detail)
            else:
                section.keep(clip)
                good.append(clip)
        if not good:
            raise ToolError(
                f'none of the {len(clips)} videos under {clips[0].root} is '
                f'usable (the first, {clips[0].name}, is {found[0][0]})'
            )
        return good

    def add_split(
        self,
        name: str,
        clips: Sequence[Clip],
        notes: Counter,
        stems: Stems,
        frames_root: Path | None = None,
        suffix: str = '',
    ) -> None:
        """List the videos and the frame folders of one split.

        Args:
            name: Middle of the file names: 'train_list'.
            clips: The clips of the split.
            notes: Annotation rows that were ignored, by reason.
            stems: Names without extension that a clip's files may have.
            frames_root: Folder of the frame folders; None: no such list.
            suffix: End of the configs' data_prefix: '_train'.

        Raises:
            ToolError: The split is empty, or no video is usable.
        """
        filename = f'{self.prefix}_{name}_videos.txt'
        dest = f'videos{suffix}'
        section = self._section(filename, clips, notes)
        found = self._check(clips, stems, dest)
        if all(kind for kind, _ in found):
            kind, detail = found[0]
            raise ToolError(
                f'none of the {len(clips)} clips of {filename} is usable '
                f'under {clips[0].root} (the first, {clips[0].name}, is '
                f'{kind}{": " if detail else ""}{detail}): check the '
                'folder, or use --no-check-videos'
            )
        checked = not self.args.no_check_videos
        names = [
            (c.path or '') if checked else safe_name(c.name) for c in clips
        ]
        root = clips[0].root
        videos = PendingList(
            section, clips, root, dest, names, None, found, checked
        )
        self.pending.append(videos)
        if frames_root is not None:
            frames = self._frames(
                f'{self.prefix}_{name}_rawframes.txt',
                videos,
                frames_root,
                f'rawframes{suffix}',
                stems,
            )
            self.pending.append(frames)
            self.pairs.append((videos, frames))

    # -------------------------------------------------------------- finish
    def finish(self) -> int:
        """Link, write label map, lists and report; print it; the exit code.

        Raises:
            ToolError: Not one clip of a list is left.
        """
        self._drop_ambiguous()
        if self.args.common:
            self._drop_unpaired()
        for pending in self.pending:
            if all(kind for kind, _ in pending.found):
                kind, detail = pending.found[0]
                raise ToolError(
                    f'not one of the {len(pending.clips)} clips of '
                    f'{pending.section.title} is left (the first, '
                    f'{pending.clips[0].name}, is {kind}'
                    f'{": " if detail else ""}{detail})'
                )
        lists = [(p.section.title, self._rows(p)) for p in self.pending]
        write_lines(self.out / 'label_map.txt', self.class_names)
        for filename, rows in lists:
            write_lines(self.out / filename, rows)
        unmatched = [printable(name) for name in self.exclusion.unmatched()]
        if unmatched:
            more = ', ...' if len(unmatched) > 5 else ''
            warn(
                f'{len(unmatched)} names of --exclude match no clip: '
                f'{", ".join(unmatched[:5])}{more}; they must be relative to '
                'the folder of the videos'
            )
        data = {
            'data_set': self.prefix,
            'classes': len(self.class_names),
            'videos_checked': not self.args.no_check_videos,
            'videos_opened': bool(self.args.verify or self.args.min_frames)
            and not self.args.no_check_videos,
            'excluded_names_without_clip': unmatched,
            'lists': {s.title: s.to_dict() for s in self.sections},
        }
        write_json(self.out / f'{self.prefix}_report.json', data)
        text = report_lines(self.sections)
        if unmatched:
            text.append(f'{len(unmatched)} names of --exclude match no clip')
        if self.args.no_check_videos:
            text.append('videos were not looked for (--no-check-videos)')
        text += [printable(line) for line in sorted(self._prefixes)]
        write_lines(self.out / f'{self.prefix}_report.txt', text)
        print('\n'.join(text))
        print(
            f'\nwrote {len(lists)} lists, label_map.txt and '
            f'{self.prefix}_report.{{txt,json}} to {printable(str(self.out))}'
        )
        incomplete = any(s.incomplete for s in self.sections)
        if incomplete and not self.args.allow_missing:
            return EXIT_INCOMPLETE
        return EXIT_OK

    # ------------------------------------------------------------- private
    def _section(
        self, filename: str, clips: Sequence[Clip], notes: Counter
    ) -> Section:
        if not clips:
            raise ToolError(
                f'no clips for {filename}: its annotation file is empty'
            )
        section = Section(filename)
        section.notes.update(notes)
        self.sections.append(section)
        return section

    def _check(
        self, clips: Sequence[Clip], stems: Stems, dest: str
    ) -> list[tuple[str, str]]:
        """``(kind, detail)`` of each video; excluded ones are not opened."""

        def key(clip: Clip) -> Path:
            return clip.root / (clip.path or '')

        good = ('', '')
        result = [
            ('excluded', clip.path or '')
            if self.exclusion.covers(clip, stems(clip), dest)
            else good
            for clip in clips
        ]
        args = self.args
        if args.no_check_videos:
            return result
        left = [i for i, found in enumerate(result) if found == good]
        new = [
            clips[i]
            for i in left
            if not clips[i].path or key(clips[i]) not in self._checked
        ]
        found = check_files(new, args.verify, args.min_frames, args.workers)
        fresh = {id(c): f for c, f in zip(new, found, strict=True)}
        self._checked.update(
            (key(c), f) for c, f in zip(new, found, strict=True) if c.path
        )
        for i in left:
            clip = clips[i]
            result[i] = fresh.get(id(clip)) or self._checked[key(clip)]
        return result

    def _frames(
        self,
        filename: str,
        videos: PendingList,
        root: Path,
        dest: str,
        stems: Stems,
    ) -> PendingList:
        """The frame folders of the clips of a list of videos."""
        clips = videos.clips
        section = self._section(filename, clips, Counter())
        require_dir(root, 'frame folder')
        args = self.args
        # flow leads from a frame to the next: one more frame than flows
        more = int(args.frames == 'flow')

        def look(i: int) -> tuple[str, int, tuple[str, str]]:
            name = find_frames(root, stems(clips[i])) or ''
            if videos.found[i][0] == 'excluded':
                return name, 0, ('excluded', name)
            if not name:
                return '', 0, ('missing', '')
            folder = root / name
            if folder not in self._counted:
                self._counted[folder] = count_frames(folder, args.frames)
            total, problem = self._counted[folder]
            if problem:
                return name, 0, ('unreadable', f'{name}: {problem}')
            if total + more < args.min_frames:
                what = 'flows' if more else 'frames'
                return name, total, ('too short', f'{name}: {total} {what}')
            return name, total, ('', '')

        results = run_threads(
            look, range(len(clips)), args.workers, 'counting frames'
        )
        names, totals, found = map(list, zip(*results, strict=True))
        if all(kind for kind, _ in found):
            raise ToolError(
                f'none of the {len(clips)} clips of {filename} has a usable '
                f'frame folder under {root} (looked for '
                f'{", ".join(stems(clips[0]))}): check --rawframes and '
                '--frames'
            )
        return PendingList(section, clips, root, dest, names, totals, found)

    def _drop_ambiguous(self) -> None:
        """Leave out frame folders that two clips would share, in any list."""
        users: dict[Path, set[str]] = defaultdict(set)
        for _, frames in self.pairs:
            for clip, name in zip(frames.clips, frames.names, strict=True):
                if name:
                    users[frames.root / name].add(clip.name)
        for _, frames in self.pairs:
            for i, name in enumerate(frames.names):
                clips = users.get(frames.root / name, ()) if name else ()
                if len(clips) > 1 and not frames.found[i][0]:
                    some = ', '.join(sorted(clips)[:3])
                    frames.found[i] = (
                        'ambiguous',
                        f'{name} would serve {len(clips)} clips: {some}',
                    )

    def _drop_unpaired(self) -> None:
        """``--common``: what one list lacks leaves the other one too."""
        for videos, frames in self.pairs:
            for i in range(len(videos.clips)):
                video, frame = videos.found[i][0], frames.found[i][0]
                if frame and not video:
                    videos.found[i] = 'unpaired', f'frame folder {frame}'
                elif video and not frame:
                    frames.found[i] = 'unpaired', f'video {video}'

    def _rows(self, pending: PendingList) -> list[str]:
        """Link the clips of a list; its lines."""
        path = self.out / pending.dest
        no_link = self.args.no_link
        placer = self._placers.setdefault(path, Placer(path, not no_link))
        rows = []
        for i, clip in enumerate(pending.clips):
            kind, detail = pending.found[i]
            if kind:
                pending.section.drop(clip, kind, detail)
                continue
            pending.section.keep(clip)
            name = pending.names[i]
            if pending.placed:
                name = placer.place(pending.root, name)
            if pending.totals is not None:
                name = f'{name} {pending.totals[i]}'
            rows.append(name if clip.label is None else f'{name} {clip.label}')
        elsewhere = pending.root.resolve() != path.resolve()
        if pending.placed and no_link and elsewhere:
            self._prefixes.add(
                f'paths are relative to {os.path.abspath(pending.root)}: set '
                f'data_prefix to it where the config has {path}'
            )
        return rows
