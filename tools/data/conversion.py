"""The converters' common command line, lists and report.

A converter reads its annotation files into :class:`clips.Clip` lists, one a
split, and hands them to a :class:`Conversion`, which checks, links and
lists them. No list is written before everything has been read and checked.
"""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from clips import (
    ClassTree,
    Clip,
    Placer,
    check_files,
    count_frames,
    find_frames,
    run_threads,
    safe_name,
)
from common import (
    EXIT_INCOMPLETE,
    EXIT_OK,
    ToolError,
    add_workers,
    non_negative_int,
    require_dir,
    write_json,
    write_lines,
)
from conversion_report import Section, printable, report_lines


def add_conversion_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every converter has."""
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        metavar='DIR',
        help='data folder of the configs: lists, label map, report, links',
    )
    parser.add_argument(
        '--no-check-videos',
        action='store_true',
        help='list every annotated clip under its official name, without '
        'looking for it',
    )
    parser.add_argument(
        '--verify',
        action='store_true',
        help='also open every video (needs PyAV): decode its first frame, '
        'count its frames; check_videos.py looks deeper',
    )
    parser.add_argument(
        '--min-frames',
        type=non_negative_int,
        default=0,
        metavar='N',
        help='leave out clips of fewer frames; implies --verify',
    )
    parser.add_argument(
        '--no-link',
        action='store_true',
        help='make no symbolic links: paths in the lists are then relative '
        'to the folder of the videos (set data_prefix accordingly)',
    )
    parser.add_argument(
        '--rawframes',
        type=Path,
        metavar='DIR',
        help='also write *_rawframes.txt for the frame folders under DIR '
        '(<clip>/ or <class>/<clip>/; Kinetics: DIR may hold '
        'rawframes_train/ and rawframes_val/, or train/ and val/)',
    )
    parser.add_argument(
        '--frames',
        choices=('flow', 'img'),
        default='flow',
        help='which pictures --rawframes counts: flow_x_00001.jpg and '
        'flow_y_00001.jpg, or img_00001.jpg (default: %(default)s)',
    )
    parser.add_argument(
        '--allow-missing',
        action='store_true',
        help='exit with 0, not 1, when clips had to be left out',
    )
    add_workers(parser)


def split_root(given: Path, split: str, stem: str) -> Path:
    """The part of a folder that holds one split, or the folder itself.

    For ``stem`` 'videos': ``given/videos_train``, ``given/train``,
    ``given``, whichever is there first.
    """
    for name in (f'{stem}_{split}', split):
        if (given / name).is_dir():
            return given / name
    return given


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
        self.prefix = prefix
        self.args = args
        self.out: Path = args.out
        self.class_names = list(class_names)
        self.sections: list[Section] = []
        self.lists: list[tuple[str, list[str]]] = []
        self._placers: dict[Path, Placer] = {}
        self._prefixes: set[str] = set()
        # the three splits hold the same clips: look at each once
        self._checked: dict[Path, tuple[str, str]] = {}
        self._counted: dict[Path, tuple[int, str]] = {}

    # ------------------------------------------------------------- videos
    def screen(self, clips: Sequence[Clip]) -> list[Clip]:
        """The usable clips; the others go into the report."""
        section = self._section('all videos', clips, Counter())
        good = []
        found = self._check(clips)
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

    def add_videos(
        self, filename: str, clips: Sequence[Clip], dest: str, notes: Counter
    ) -> None:
        """List the videos of one split.

        Args:
            filename: Name of the list, under the data folder.
            clips: The clips of the split.
            dest: The configs' data_prefix under the data folder.
            notes: Annotation rows that were ignored, by reason.

        Raises:
            ToolError: The split is empty, or not one clip is usable.
        """
        section = self._section(filename, clips, notes)
        if self.args.no_check_videos:
            names = [safe_name(clip.name) for clip in clips]
            found = [('', '')] * len(clips)
        else:
            found = self._check(clips)
            if all(kind for kind, _ in found):
                kind, detail = found[0]
                raise ToolError(
                    f'none of the {len(clips)} clips of {filename} is usable '
                    f'under {clips[0].root} (the first, {clips[0].name}, is '
                    f'{kind}{": " if detail else ""}{detail}): check the '
                    'folder, or use --no-check-videos'
                )
            placer = self._placer(dest)
            names = [
                '' if kind else placer.place(clip.root, clip.path)
                for clip, (kind, _) in zip(clips, found, strict=True)
            ]
            self._remember(clips[0].root, dest)
        rows = []
        for clip, name, (kind, detail) in zip(
            clips, names, found, strict=True
        ):
            if kind:
                section.drop(clip, kind, detail)
            else:
                section.keep(clip)
                rows.append(list_line(name, clip.label))
        self.lists.append((filename, rows))

    # --------------------------------------------------------- raw frames
    def add_rawframes(
        self,
        filename: str,
        clips: Sequence[Clip],
        root: Path,
        dest: str,
        candidates: Callable[[Clip], Iterable[str]],
    ) -> None:
        """List the frame folders of one split, ``dir total_frames label``.

        Args:
            filename: Name of the list, under the data folder.
            clips: The clips of the split.
            root: Folder of the frame folders.
            dest: The configs' data_prefix under the data folder.
            candidates: Folder names under ``root`` that a clip may have.
        """
        section = self._section(filename, clips, Counter())
        require_dir(root, 'frame folder')
        kind = self.args.frames

        def look(clip: Clip) -> tuple[str | None, int, str]:
            name = find_frames(root, candidates(clip))
            if name is None:
                return None, 0, ''
            folder = root / name
            if folder not in self._counted:
                self._counted[folder] = count_frames(folder, kind)
            return name, *self._counted[folder]

        placer = self._placer(dest)
        rows = []
        results = run_threads(
            look, clips, self.args.workers, 'counting frames'
        )
        for clip, (name, total, problem) in zip(clips, results, strict=True):
            if name is None:
                section.drop(clip, 'missing', '')
            elif problem:
                section.drop(clip, 'unreadable', f'{name}: {problem}')
            elif total < self.args.min_frames:
                section.drop(clip, 'too short', f'{name}: {total} frames')
            else:
                section.keep(clip)
                placed = placer.place(root, name)
                rows.append(list_line(f'{placed} {total}', clip.label))
        if not rows:
            raise ToolError(
                f'none of the {len(clips)} clips of {filename} has a usable '
                f'frame folder under {root} (looked for '
                f'{", ".join(candidates(clips[0]))}): check --rawframes and '
                '--frames'
            )
        self._remember(root, dest)
        self.lists.append((filename, rows))

    # -------------------------------------------------------------- finish
    def finish(self) -> int:
        """Write label map, lists and report; print it; the exit code."""
        write_lines(self.out / 'label_map.txt', self.class_names)
        for filename, rows in self.lists:
            write_lines(self.out / filename, rows)
        data = {
            'data_set': self.prefix,
            'classes': len(self.class_names),
            'videos_checked': not self.args.no_check_videos,
            'videos_opened': bool(self.args.verify or self.args.min_frames)
            and not self.args.no_check_videos,
            'lists': {s.title: s.to_dict() for s in self.sections},
        }
        write_json(self.out / f'{self.prefix}_report.json', data)
        text = report_lines(self.sections)
        if self.args.no_check_videos:
            text.append('videos were not looked for (--no-check-videos)')
        text += [printable(line) for line in sorted(self._prefixes)]
        write_lines(self.out / f'{self.prefix}_report.txt', text)
        print('\n'.join(text))
        print(
            f'\nwrote {len(self.lists)} lists, label_map.txt and '
            f'{self.prefix}_report.{{txt,json}} to {self.out}'
        )
        incomplete = any(s.num_dropped for s in self.sections)
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

    def _check(self, clips: Sequence[Clip]) -> list[tuple[str, str]]:
        def key(clip: Clip) -> Path:
            return clip.root / (clip.path or '')

        new = [c for c in clips if not c.path or key(c) not in self._checked]
        args = self.args
        found = check_files(new, args.verify, args.min_frames, args.workers)
        fresh = {id(c): f for c, f in zip(new, found, strict=True)}
        self._checked.update(
            (key(c), f) for c, f in zip(new, found, strict=True) if c.path
        )
        return [fresh.get(id(c)) or self._checked[key(c)] for c in clips]

    def _placer(self, dest: str) -> Placer:
        path = self.out / dest
        if path not in self._placers:
            self._placers[path] = Placer(path, not self.args.no_link)
        return self._placers[path]

    def _remember(self, root: Path, dest: str) -> None:
        if self.args.no_link and root.resolve() != (self.out / dest).resolve():
            self._prefixes.add(
                f'paths are relative to {os.path.abspath(root)}: set '
                f'data_prefix to it where the config has {self.out / dest}'
            )


def list_line(name: str, label: int | None) -> str:
    """``name label``, or the name alone where there is no label."""
    return name if label is None else f'{name} {label}'


# ------------------------------------- data sets of class folders, 3 splits
def add_tree_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of UCF101 and HMDB51."""
    parser.add_argument(
        '--videos',
        type=Path,
        metavar='DIR',
        help='folder of the videos (default: videos/ under --out)',
    )
    parser.add_argument(
        '--splits',
        type=int,
        nargs='+',
        choices=(1, 2, 3),
        default=(1, 2, 3),
        help='which splits to write (default: 1 2 3)',
    )
    add_conversion_arguments(parser)


def convert_tree(
    conversion: Conversion, splits: dict[str, tuple[list[Clip], Counter]]
) -> int:
    """List ``<class>/<clip>`` data sets; the exit code.

    Args:
        conversion: Holds the arguments of :func:`add_tree_arguments`.
        splits: 'train_split_1': (its clips, ignored annotation rows).
    """
    args = conversion.args
    root = args.videos or args.out / 'videos'
    tree = None if args.no_check_videos else ClassTree(root)
    for name, (clips, notes) in splits.items():
        for clip in clips:
            clip.root = root
            if tree is not None:
                stem = os.path.splitext(os.path.basename(clip.name))[0]
                clip.path = tree.find(clip.class_name, stem)
        conversion.add_videos(
            f'{conversion.prefix}_{name}_videos.txt', clips, 'videos', notes
        )
        if args.rawframes:
            conversion.add_rawframes(
                f'{conversion.prefix}_{name}_rawframes.txt',
                clips,
                args.rawframes,
                'rawframes',
                tree_frame_folders,
            )
    return conversion.finish()


def tree_frame_folders(clip: Clip) -> list[str]:
    """Folder names that the frames of a clip may have."""
    names = [os.path.splitext(n)[0] for n in (clip.path, clip.name) if n]
    names += [safe_name(name) for name in names]
    names += [os.path.basename(name) for name in names]
    return list(dict.fromkeys(names))
