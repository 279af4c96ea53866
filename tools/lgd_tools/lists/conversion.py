"""What the converters share: options, checks, links, lists and report.

A converter reads its annotation files into :class:`clips.Clip` lists, one a
split, and hands them to a :class:`Conversion`. Nothing is linked or listed
before everything has been read and checked.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

from lgd_tools.cli import (
    EXIT_INCOMPLETE,
    EXIT_OK,
    add_workers,
    printable,
    require_dir,
    warn,
    write_json,
    write_lines,
)
from lgd_tools.lists.clip_list import ClipList, report_lines
from lgd_tools.lists.clips import (
    Clip,
    Links,
    check_file,
    count_flows,
    run_threads,
    safe_name,
)
from lgd_tools.lists.exclusion import Exclusion

# Names without extension that the files of a clip may have.
Stems = Callable[[Clip], Iterable[str]]


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
        help='leave out the clips named here, one video a line, as in '
        'bad.txt of check_videos.py: relative to the folder of the videos; '
        'the report counts and names them, the exit code does not')
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
        any_extension: See :class:`exclusion.Exclusion`.
    """

    def __init__(
        self,
        prefix: str,
        args: argparse.Namespace,
        class_names: Sequence[str],
        any_extension: bool = True,
    ) -> None:
        self.prefix, self.args, self.out = prefix, args, args.out
        self.class_names = list(class_names)
        self.exclusion = Exclusion(args.exclude, any_extension)
        self.screened: list[ClipList] = []  # in the report only
        self.videos: list[ClipList] = []
        self.frames: list[ClipList] = []
        # the three splits hold the same folders
        self._count_flows = cache(count_flows)

    def screen(self, clips: Sequence[Clip], stems: Stems) -> list[Clip]:
        """The usable clips; the others go into the report."""
        found = self._check_videos('all videos', clips, stems, 'videos')
        found.require_some()
        self.screened.append(found)
        pairs = zip(clips, found.problems, strict=True)
        return [clip for clip, (kind, _) in pairs if not kind]

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
            ToolError: The split is empty, or no clip is usable.
        """
        name = f'{self.prefix}_{name}'
        videos = self._check_videos(
            f'{name}_videos.txt', clips, stems, f'videos{suffix}', notes
        )
        videos.require_some()
        self.videos.append(videos)
        if frames_root is not None:
            frames = self._check_frames(
                f'{name}_rawframes.txt',
                videos,
                stems,
                require_dir(frames_root, 'frame folder'),
                f'rawframes{suffix}',
            )
            frames.require_some()
            self.frames.append(frames)

    def finish(self) -> int:
        """Link, write label map, lists and report; print it; the exit code."""
        lists = self.videos + self.frames
        links = {}
        rows = [self._rows(clip_list, links) for clip_list in lists]
        write_lines(self.out / 'label_map.txt', self.class_names)
        for clip_list, lines in zip(lists, rows, strict=True):
            write_lines(self.out / clip_list.title, lines)
        summaries = {
            told.title: told.summary() for told in self.screened + lists
        }
        self._report(summaries, self.exclusion.unmatched())
        print(f'\nwrote {len(lists)} lists to {printable(str(self.out))}')
        problems = {p for told in summaries.values() for p in told['left_out']}
        incomplete = problems - {'excluded'} and not self.args.allow_missing
        return EXIT_INCOMPLETE if incomplete else EXIT_OK

    # ------------------------------------------------------------- private
    def _check_videos(
        self,
        title: str,
        clips: Sequence[Clip],
        stems: Stems,
        dest: str,
        notes: Counter | None = None,
    ) -> ClipList:
        unseen = self.args.no_check_videos

        def check(clip: Clip) -> tuple[str, str]:
            if self.exclusion.covers(clip, stems(clip), dest):
                return 'excluded', clip.path or ''
            return ('', '') if unseen else check_file(clip)

        problems = run_threads(check, clips, self.args.workers, 'checking')
        names = [safe_name(c.name) if unseen else c.path or '' for c in clips]
        root = clips[0].root if clips else Path()
        notes = Counter(notes)
        return ClipList(title, clips, root, dest, notes, names, problems)

    def _check_frames(
        self, title: str, videos: ClipList, stems: Stems, root: Path, dest: str
    ) -> ClipList:
        """The frame folders of the clips of a list of videos."""

        def look(i: int) -> tuple[str, int, tuple[str, str]]:
            names = stems(videos.clips[i])
            name = next((n for n in names if n and (root / n).is_dir()), '')
            if videos.problems[i][0] == 'excluded':
                return name, 0, ('excluded', name)
            if not name:
                return '', 0, ('missing', '')
            total, problem = self._count_flows(root / name)
            if problem:
                return name, 0, ('unreadable', f'{name}: {problem}')
            return name, total, ('', '')

        clips = videos.clips
        looked = run_threads(
            look, range(len(clips)), self.args.workers, 'counting frames'
        )
        names, totals, problems = map(list, zip(*looked, strict=True))
        return ClipList(
            title, clips, root, dest, Counter(), names, problems, totals
        )

    def _rows(self, clip_list: ClipList, links: dict[Path, Links]) -> list:
        """Link the clips of a list; its lines."""
        dest = self.out / clip_list.dest
        place = links.setdefault(dest, Links(dest)).place
        videos = clip_list.totals is None
        unseen = videos and self.args.no_check_videos
        rows = []
        for i, clip in enumerate(clip_list.clips):
            if clip_list.problems[i][0]:
                continue
            name = clip_list.names[i]
            words = [name if unseen else place(clip_list.root, name)]
            if not videos:
                words.append(clip_list.totals[i])
            if clip.label is not None:
                words.append(clip.label)
            rows.append(' '.join(map(str, words)))
        return rows

    def _report(self, summaries: dict[str, dict], unmatched: list) -> None:
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
