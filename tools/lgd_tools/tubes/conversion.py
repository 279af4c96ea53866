"""From the tubes that a reader found to the annotation file and a report.

What ``jhmdb.py`` and ``ucf101_24.py`` share: the options, the cleaning of
tubes, the comparison with videos on disk, the file. A reader hands over
``TubeAnnotations`` whose videos hold a :class:`RawTube` for each tube.
"""

import argparse
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lgd_mmaction.detection.annotations import (
    Tube,
    TubeAnnotations,
    TubeVideo,
    check_video,
    save_tubes,
)
from lgd_tools.cli import (
    EXIT_INCOMPLETE,
    EXIT_OK,
    ToolError,
    add_workers,
    parse_size,
    positive_int,
    printable,
    progress,
    require_dir,
    write_text,
)
from lgd_tools.tubes.raw_tubes import COORDINATES, Splits, names_of


# ------------------------------------------------------------------- options
def add_arguments(parser: argparse.ArgumentParser, num_classes: int) -> None:
    """Add what both converters take."""
    add = parser.add_argument
    # fmt: off
    add('--out', type=Path, required=True, metavar='DIR', help='data folder')
    add('--size', type=parse_size, default=(320, 240), metavar='WxH',
        help='of the pictures that boxes were drawn on, where the source '
        'does not tell (default: 320x240)')
    add('--coordinates', choices=COORDINATES,
        help='how to read the numbers of a box, instead of as said above: '
        'edges; first and last pixel, counted from 0 (pixels0) or from 1 '
        '(pixels1)')
    add('--videos', type=Path, metavar='DIR',
        help='count the frames of <class>/<video>.avi, or the pictures '
        '<class>/<video>/00001.png ..., and report what is missing')
    add('--allow-missing', action='store_true', help='exit code 0, not 1')
    add('--num-classes', type=positive_int, default=num_classes, metavar='N',
        help='for a subset (default: %(default)s)')
    # fmt: on
    add_workers(parser)


# ---------------------------------------------------------------- conversion
@dataclass
class Conversion:
    """Clean the videos of the splits, write them and what was found."""

    raw: TubeAnnotations  # every video that the source describes
    args: argparse.Namespace  # the options of add_arguments
    untrimmed: bool = False  # whether a test video may have no tube
    # whether the source knew the numbers of frames; else they are those of
    # the last boxes, or of the files in --videos
    counted: bool = True
    # what was found -> how often, and the first place
    found: dict[str, tuple[int, str]] = field(default_factory=dict)
    incomplete: bool = False  # something is lacking in the result

    def run(self) -> int:
        """Convert; returns the exit code."""
        raw, args = self.raw, self.args
        if len(raw.classes) != args.num_classes:
            raise ToolError(
                f'the source holds {len(raw.classes)} classes, not '
                f'{args.num_classes}: download it again, or set '
                '--num-classes for a subset'
            )
        videos = _listed(raw.videos, raw.splits)
        if args.videos:
            self._compare(videos)
        videos = {
            name: replace(video, tubes=tuple(self._clean(video)))
            for name, video in videos.items()
        }
        splits = {
            split: self._with_boxes(split, subsets, videos)
            for split, subsets in raw.splits.items()
        }
        videos = _listed(videos, splits)
        self._write(replace(raw, splits=splits, videos=videos))
        done = args.allow_missing or not self.incomplete
        return EXIT_OK if done else EXIT_INCOMPLETE

    def note(
        self, kind: str, place: str, count: int = 1, lacking: bool = True
    ) -> None:
        """Count what the report tells."""
        before, first = self.found.get(kind, (0, place))
        self.found[kind] = before + count, first
        self.incomplete |= lacking

    def _with_boxes(self, split: str, subsets: dict, videos: dict) -> dict:
        """A split without training videos that have no box, nor repeats."""
        subsets = {k: list(dict.fromkeys(n)) for k, n in subsets.items()}
        both = set(subsets['train']) & set(subsets['test'])
        if both:
            raise ToolError(
                f'{min(both)} is in the training and in the test list of '
                f'split {split}, so the test would be of trained videos: '
                'download the lists again'
            )
        boxed = {name for name, video in videos.items() if video.tubes}
        for name in subsets['train']:
            if name not in boxed:
                kind = f'training videos of split {split} left out: no box'
                self.note(kind, name)
        needed = videos.keys() if self.untrimmed else boxed
        without = [name for name in subsets['test'] if name not in needed]
        if without:
            raise ToolError(
                f'{len(without)} of {len(subsets["test"])} test videos of '
                f'split {split} have no box, first {without[0]}: a test '
                'without them would give another score; give a complete '
                'source, or other --splits'
            )
        for name in subsets['test']:
            if name not in boxed:
                kind = f'test videos of split {split} without a box'
                self.note(kind, name, lacking=False)
        train = [name for name in subsets['train'] if name in boxed]
        return {'train': train, 'test': subsets['test']}

    # ------------------------------------------------------ videos on disk
    def _compare(self, videos: dict[str, TubeVideo]) -> None:
        # decoders: not for --help
        from lgd_tools.pictures import find_pictures, measure

        root = require_dir(self.args.videos, 'folder of videos')

        def look(name: str) -> tuple[int, int, int] | ToolError:
            try:
                return measure(find_pictures(root, name))
            except ToolError as error:
                return error

        with ThreadPoolExecutor(self.args.workers) as pool:
            looks = progress(pool.map(look, videos), 'videos', len(videos))
            looks = list(looks)
        for (name, video), found in zip([*videos.items()], looks, strict=True):
            if isinstance(found, ToolError):
                self.note('videos missing or unreadable', str(found))
                continue
            frames, *size = found
            if size != [video.width, video.height]:
                kind = 'videos of another size than the boxes'
                self.note(kind, name, lacking=False)
            if frames > video.num_frames and not self.counted:
                kind = 'numbers of frames taken from the file'
                self.note(kind, name, lacking=False)
                videos[name] = replace(video, num_frames=frames)
            elif frames != video.num_frames:
                kind = 'videos with another number of frames than annotated'
                self.note(kind, f'{name}: {frames} of {video.num_frames}')

    # --------------------------------------------------------------- tubes
    def _clean(self, video: TubeVideo) -> Iterator[Tube]:
        """A video's tubes as the annotation file admits them."""
        size = np.array([video.width, video.height] * 2)
        for number, (label, frames, boxes) in enumerate(video.tubes):
            where = f'tube {number} of {video.name}'
            if (np.diff(frames) < 1).any():
                raise ToolError(
                    f'{where} has a frame twice or out of order: mend the '
                    'annotation'
                )
            # the file keeps thousandths
            inside = np.clip(boxes, 0, size).round(3).astype(np.float32)
            visible = (inside[:, :2] < inside[:, 2:]).all(1)
            there = (frames >= 0) & (frames < video.num_frames)
            good = np.ones(len(frames), bool)
            found = {}
            for kind, fits in (
                ('NaN or infinity', np.isfinite(boxes).all(1)),
                ('in a frame that the video does not have', there),
                ('no area', (boxes[:, :2] < boxes[:, 2:]).all(1)),
                ('outside the picture', visible),
            ):
                found[f'boxes dropped: {kind}'] = good & ~fits
                good &= fits
            clipped = 'boxes clipped to the picture'
            found[clipped] = good & ((boxes < 0) | (boxes > size)).any(1)
            for kind, which in found.items():
                if count := int(which.sum()):
                    first = which.argmax()
                    box = ' '.join(f'{x:g}' for x in boxes[first])
                    place = f'{where}, frame {frames[first]}, {box}'
                    self.note(kind, place, count, lacking=kind != clipped)
            rows = np.flatnonzero(good)
            if not len(rows):
                self.note('tubes dropped: no box left', where)
                continue
            gaps = np.flatnonzero(np.diff(frames[rows]) > 1) + 1
            if len(gaps):
                place = f'{where}, before frame {frames[rows[gaps[0]]]}'
                self.note('gaps, at which tubes are split', place, len(gaps))
            for run in np.split(rows, gaps):
                yield Tube(label, int(frames[run[0]]), inside[run])

    # ------------------------------------------------------------ the file
    def _write(self, annotations: TubeAnnotations) -> None:
        path = self.args.out / f'{annotations.dataset}_tubes.json'
        for video in annotations.videos.values():
            check_video(video, len(annotations.classes))
        save_tubes(annotations, path)
        raw = [t.boxes for v in self.raw.videos.values() for t in v.tubes]
        edges = np.concatenate([*raw, np.empty((0, 4))])
        edges = edges[np.isfinite(edges).all(1)]
        lines = [
            f'{path}: {len(annotations.classes)} classes, '
            f'{_count(annotations.videos.values())}',
            *(
                f'split {split} {subset}: '
                f'{_count(annotations.subset(split, subset))}'
                for split, subsets in annotations.splits.items()
                for subset in subsets
            ),
            *(f'{k}: {n}, first {at}' for k, (n, at) in self.found.items()),
        ]
        if len(edges):
            (x1, y1), (x2, y2) = edges.min(0)[:2], edges.max(0)[2:]
            lines.append(f'edges as read: x {x1:g}..{x2:g}, y {y1:g}..{y2:g}')
        if not self.found:
            lines.append('nothing was clipped, dropped or left out')
        report = ''.join(f'{printable(line)}\n' for line in lines)
        write_text(path.with_name(f'{path.stem}_report.txt'), report)
        print(report, end='')


def _listed(
    videos: dict[str, TubeVideo], splits: Splits
) -> dict[str, TubeVideo]:
    """Those of the videos that a split names, sorted."""
    return {n: videos[n] for n in sorted(names_of(splits) & videos.keys())}


def _count(videos: Iterable[TubeVideo]) -> str:
    videos = list(videos)
    tubes = [tube for video in videos for tube in video.tubes]
    return (
        f'{len(videos)} videos, {sum(v.num_frames for v in videos)} frames, '
        f'{len(tubes)} tubes, {sum(len(t.boxes) for t in tubes)} boxes'
    )
