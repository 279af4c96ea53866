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
    Splits,
    TubeCleaner,
    names_of,
)

if TYPE_CHECKING:
    from lgd_mmaction.detection.annotations import TubeAnnotations


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
        known = [videos[name] for name in names_of(splits) if name in videos]
        self._compare(known)
        tubes = {video.name: self.cleaner.clean(video) for video in known}
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
            names = {k: list(dict.fromkeys(v)) for k, v in subsets.items()}
            repeated = sum(len(v) - len(names[k]) for k, v in subsets.items())
            if repeated:
                kind = 'rows of lists that are there twice, ignored'
                self.notes[kind] += repeated
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
            return self._problem(f'{what} missing', video.name)
        if file.problem:
            text = f'{video.name}: {file.problem}'
            return self._problem(f'{what} unusable', text)
        more = file.frames - video.num_frames
        if more > 0 and not video.counted:
            video.num_frames = file.frames
            self.notes[
                f'{what} with frames after the last box, their number taken '
                'from the file'
            ] += 1
        elif more:
            self._problem(
                f'{what} with {"more" if more > 0 else "fewer"} frames than '
                'annotated',
                f'{video.name}: {file.frames} of {video.num_frames}',
            )
        if (file.width, file.height) != (video.width, video.height):
            kind = f'{what} of another size than the boxes are stored for'
            self.notes[kind] += 1

    def _problem(self, kind: str, example: str) -> None:
        self.problems.setdefault(kind, []).append(example)

    def _drop_empty(self, splits: Splits, tubes: dict[str, list]) -> Splits:
        kept: Splits = {}
        for split, subsets in splits.items():
            empty = [name for name in subsets['test'] if not tubes.get(name)]
            if self.background and empty:
                kind = f'test videos of split {split} without a box'
                self.notes[kind] = len(empty)
                self.cleaner.examples[kind] = empty[0]
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
                    kind = f'training videos of split {split} left out: no box'
                    self._problem(kind, name)
            kept[split] = {'train': train, 'test': subsets['test']}
        return kept

    # ------------------------------------------------------------ the file
    def _write(
        self,
        splits: Splits,
        videos: dict[str, SourceVideo],
        tubes: dict[str, list],
    ) -> None:
        # imports torch: not for --help
        from lgd_mmaction.detection import annotations as package

        made = {}
        for name in sorted(names_of(splits)):
            video = videos[name]
            size = video.num_frames, video.width, video.height
            found = tuple(package.Tube(*tube) for tube in tubes[name])
            made[name] = package.TubeVideo(name, *size, found)
            package.check_video(made[name], len(self.classes))
        annotations = package.TubeAnnotations(
            self.dataset, tuple(self.classes), splits, made
        )
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
                    (high, most), *_, (low, least) = [
                        *per_class.most_common(1),
                        *per_class.most_common(),
                    ]
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
            first = cleaner.examples.get(kind)
            lines.append(
                f'{kind}: {number}' + (f', first {first}' if first else '')
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
