"""From what a reader found to the annotation file and the report.

The part that ``jhmdb.py`` and ``ucf101_24.py`` share: the lists, the check
against videos on disk, the file.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lgd_tools.cli import (
    EXIT_INCOMPLETE,
    EXIT_OK,
    ToolError,
    printable,
    write_text,
)
from lgd_tools.tubes.source_args import out_file
from lgd_tools.tubes.source_files import Found, look_at_frames, look_at_videos
from lgd_tools.tubes.sources import (
    CLIPPED,
    DROPPED,
    SPLIT,
    SourceVideo,
    TubeCleaner,
)

if TYPE_CHECKING:
    from lgd_mmaction.detection.annotations import TubeAnnotations

Splits = dict[str, dict[str, list[str]]]


def unique(names: Sequence[str], notes: Counter) -> list[str]:
    """The names, each once; counts the repeated ones."""
    once = list(dict.fromkeys(names))
    if len(once) < len(names):
        notes['rows of lists that are there twice, ignored'] += len(
            names
        ) - len(once)
    return once


# ---------------------------------------------------------------- conversion
class TubeConversion:
    """Cleans the videos of some splits, writes the file and the report.

    Args:
        dataset: 'jhmdb', the start of the file names.
        args: Parsed :func:`tube_sources_args.add_tube_arguments`.
        classes: Class names by label.
        coordinates: How the boxes were read, for the report.
        background: Whether a test video may have no tube (untrimmed data).
    """

    def __init__(
        self,
        dataset: str,
        args: argparse.Namespace,
        classes: Sequence[str],
        coordinates: str,
        background: bool,
    ) -> None:
        self.dataset, self.args, self.classes = dataset, args, list(classes)
        self.coordinates, self.background = coordinates, background
        self.path = out_file(dataset, args)
        self.cleaner = TubeCleaner(args.strict, args.split_gaps)
        # things that are lacking (exit code 1), and things to know
        self.problems: dict[str, list[str]] = {}
        self.notes: Counter = Counter()

    def run(self, splits: Splits, videos: dict[str, SourceVideo]) -> int:
        """Convert; returns the exit code.

        Args:
            splits: Video names by split number and subset.
            videos: What the source tells of each video, by name; those of
                no split are left out.

        Raises:
            ToolError: A video is in both subsets of a split, a test video
                is without boxes, or see :class:`TubeCleaner`.
        """
        splits = self._check_splits(splits, videos)
        used = dict.fromkeys(
            name
            for s in splits.values()
            for names in s.values()
            for name in names
        )
        known = [videos[name] for name in used if name in videos]
        self._compare(known)
        tubes = {
            video.name: self.cleaner.clean(video, len(self.classes))
            for video in known
        }
        splits = self._drop_empty(splits, tubes)
        self._write(splits, videos, tubes)
        incomplete = self.problems or self.cleaner.lossy
        if incomplete and not self.args.allow_missing:
            return EXIT_INCOMPLETE
        return EXIT_OK

    def _check_splits(
        self, splits: Splits, videos: dict[str, SourceVideo]
    ) -> Splits:
        checked: Splits = {}
        for split, subsets in splits.items():
            names = {k: unique(v, self.notes) for k, v in subsets.items()}
            both = set(names['train']) & set(names['test'])
            if both:
                raise ToolError(
                    f'{min(both)} is in the training and in the test list of '
                    f'split {split} ({len(both)} such videos), so the test '
                    'would be of trained videos: download the lists again'
                )
            checked[split] = names
        return checked

    def _compare(self, videos: Sequence[SourceVideo]) -> None:
        for root, look, what in (
            (self.args.videos, look_at_videos, 'videos'),
            (self.args.rawframes, look_at_frames, 'frame folders'),
        ):
            if root is None:
                continue
            found = look(root, videos, self.args.workers)
            for video, file in zip(videos, found, strict=True):
                self._compare_one(video, file, what)

    def _compare_one(self, video: SourceVideo, file: Found, what: str) -> None:
        if file.problem == 'missing':
            self._problem(f'{what} missing', video.name)
        elif file.problem:
            self._problem(f'{what} unusable', f'{video.name}: {file.problem}')
        else:
            frames = f'{file.frames} of {video.num_frames}'
            if file.frames < video.num_frames:
                self._problem(
                    f'{what} with fewer frames than annotated',
                    f'{video.name}: {frames}',
                )
            elif file.frames > video.num_frames and video.counted:
                self._problem(
                    f'{what} with more frames than annotated',
                    f'{video.name}: {frames}',
                )
            elif file.frames > video.num_frames:
                video.num_frames = file.frames
                self.notes[
                    f'{what} with frames after the last box, their number '
                    'taken from the file'
                ] += 1
            if (file.width, file.height) != (video.width, video.height):
                self.notes[
                    f'{what} of another size than the boxes are stored for'
                ] += 1

    def _problem(self, kind: str, example: str) -> None:
        self.problems.setdefault(kind, []).append(example)

    def _drop_empty(self, splits: Splits, tubes: dict[str, list]) -> Splits:
        kept: Splits = {}
        for split, subsets in splits.items():
            empty = [name for name in subsets['test'] if not tubes.get(name)]
            if self.background:
                if empty:
                    self.notes[
                        f'test videos of split {split} without a box'
                    ] = len(empty)
                    self.cleaner.examples.setdefault(
                        f'test videos of split {split} without a box', empty[0]
                    )
                empty = [name for name in empty if name not in tubes]
            if empty:
                raise ToolError(
                    f'{len(empty)} of {len(subsets["test"])} test videos of '
                    f'split {split} have no box, first {empty[0]}: a test '
                    'without them would give another score; give a complete '
                    'source, or other --splits'
                )
            train = [name for name in subsets['train'] if tubes.get(name)]
            for name in subsets['train']:
                if not tubes.get(name):
                    self._problem(
                        f'training videos of split {split} left out: no box',
                        name,
                    )
            kept[split] = {'train': train, 'test': subsets['test']}
        return kept

    # ------------------------------------------------------------ the file
    def _write(
        self,
        splits: Splits,
        videos: dict[str, SourceVideo],
        tubes: dict[str, list],
    ) -> None:
        package = _import_package()
        listed = dict.fromkeys(
            name
            for s in splits.values()
            for names in s.values()
            for name in names
        )
        annotations = package.TubeAnnotations(
            self.dataset,
            tuple(self.classes),
            splits,
            {
                name: package.TubeVideo(
                    name,
                    videos[name].num_frames,
                    videos[name].width,
                    videos[name].height,
                    tuple(package.Tube(*tube) for tube in tubes[name]),
                )
                for name in sorted(listed)
            },
        )
        try:
            for video in annotations.videos.values():
                package.check_video(video, len(self.classes))
        except package.DataError as error:
            raise ToolError(str(error)) from None
        package.save_tubes(annotations, self.path)
        report = '\n'.join(map(printable, self._report(annotations))) + '\n'
        write_text(
            self.path.with_name(f'{self.dataset}_tubes_report.txt'), report
        )
        print(report, end='')

    def _report(self, annotations: 'TubeAnnotations') -> list[str]:
        everything = list(annotations.videos.values())
        lines = [
            f'{self.path}: {_count(everything)}, {len(self.classes)} classes',
        ]
        for split, subsets in annotations.splits.items():
            for subset in subsets:
                part = annotations.subset(split, subset)
                per_class = Counter(
                    tube.label for video in part for tube in video.tubes
                )
                lines.append(
                    f'split {split} {subset}: {_count(part)}, '
                    f'{len(per_class)} classes'
                )
                if per_class:
                    (high, most), (low, least) = (
                        per_class.most_common()[0],
                        per_class.most_common()[-1],
                    )
                    lines[-1] += (
                        f' with {least} ({self.classes[low]}) to {most} '
                        f'({self.classes[high]}) tubes'
                    )
        cleaner = self.cleaner
        if cleaner.read:
            low, high = cleaner.lowest, cleaner.highest
            lines.append(
                f'boxes read: {cleaner.read}, as {self.coordinates}; their '
                f'edges lie in x {low[0]:g}..{high[0]:g}, y {low[1]:g}..'
                f'{high[1]:g}'
            )
            if self.coordinates == 'edges' and cleaner.from_pixel_0:
                lines.append(
                    'warning: boxes begin at 0, but none reaches the last '
                    'edge: these may be pixels from 0, try --coordinates '
                    'pixels0'
                )
        for kind in (*DROPPED, CLIPPED, SPLIT):
            if cleaner.counts[kind]:
                lines.append(
                    f'{kind}: {cleaner.counts[kind]}, first '
                    f'{cleaner.examples[kind]}'
                )
        for kind, examples in self.problems.items():
            lines.append(f'{kind}: {len(examples)}, first {examples[0]}')
        for kind, number in self.notes.items():
            example = cleaner.examples.get(kind)
            lines.append(
                f'{kind}: {number}' + (f', first {example}' if example else '')
            )
        if not (any(cleaner.counts.values()) or self.problems):
            lines.append('nothing was clipped, dropped or left out')
        return lines


def _count(videos: Sequence) -> str:
    tubes = [tube for video in videos for tube in video.tubes]
    boxes = sum(len(tube.boxes) for tube in tubes)
    frames = sum(video.num_frames for video in videos)
    return (
        f'{len(videos)} videos, {frames} frames, {len(tubes)} tubes, '
        f'{boxes} boxes'
    )


def _import_package():
    """``lgd_mmaction.detection.annotations``; late, as it imports torch."""
    import lgd_mmaction.detection.annotations as tubes

    return tubes
