"""The annotation file of spatio-temporal detection: videos, tubes, splits.

One JSON file describes a data set, whatever its annotations looked like as
they were distributed; docs/detection.md shows one. Frames count from 0, and a
tube has one box in every frame from ``start`` on. Boxes are pixels of a
``width`` x ``height`` frame, edges as continuous coordinates: a box that
begins at pixel 0 and is 10 pixels wide is x1 = 0, x2 = 10. Labels index
``classes``.
"""

import json
from collections import Counter
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from lgd_mmaction.errors import DataError
from lgd_mmaction.files import write_bytes

FORMAT = 'lgd_mmaction tubes'
VERSION = 1
# Far beyond any video; lists of such lengths are made of these numbers.
MAX_FRAMES = 10**6
MAX_SIDE = 10**5


@dataclass(frozen=True)
class Tube:
    """One actor doing one action: a box in each of F consecutive frames."""

    label: int  # index into the classes
    start: int  # first frame, counted from 0
    boxes: np.ndarray  # (F, 4) float32, x1 y1 x2 y2 in pixels

    @property
    def stop(self) -> int:
        """The frame after the last one."""
        return self.start + len(self.boxes)


@dataclass(frozen=True)
class TubeVideo:
    """What is annotated of a video; no tubes, where nobody acts."""

    name: str
    num_frames: int
    width: int
    height: int
    tubes: tuple[Tube, ...]


@dataclass(frozen=True)
class TubeAnnotations:
    """A whole annotation file."""

    dataset: str  # its name
    classes: tuple[str, ...]  # names, in the order of the labels
    splits: dict[str, dict[str, list[str]]]  # names, ['1']['train']
    videos: dict[str, TubeVideo]  # every one by its name

    def subset(self, split: int | str, subset: str) -> list[TubeVideo]:
        """The videos of one subset, in the order of the file.

        Raises:
            DataError: There is no such split or subset.
        """
        try:
            names = self.splits[str(split)][subset]
        except KeyError:
            known = ', '.join(
                f'{s}/{name}' for s in self.splits for name in self.splits[s]
            )
            raise DataError(
                f'the annotations of {self.dataset} have no split '
                f'{split}/{subset}; there are: {known}'
            ) from None
        return [self.videos[name] for name in names]


def save_tubes(annotations: TubeAnnotations, path: str | PathLike) -> None:
    """Write an annotation file, whole or not at all."""
    content = {'format': FORMAT, 'version': VERSION, **vars(annotations)}
    content['videos'] = videos = {}
    for name, video in annotations.videos.items():
        tubes = [{**vars(t), 'boxes': _plain(t.boxes)} for t in video.tubes]
        videos[name] = {**vars(video), 'tubes': tubes}
        del videos[name]['name']  # the key
    # default: numbers of NumPy
    text = json.dumps(content, separators=(',', ':'), default=int) + '\n'
    write_bytes(path, text.encode())


def load_tubes(path: str | PathLike) -> TubeAnnotations:
    """Read an annotation file and check every number in it.

    Raises:
        DataError: The file is missing, is of another format, or a video, a
            tube or a box in it is wrong; the message names it.
    """
    path = Path(path)
    remedy = 'convert the data set with tools/data/jhmdb.py or ucf101_24.py'
    if not path.exists():
        raise DataError(f'{path} does not exist; {remedy}')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f'{path} cannot be read as JSON: {error}') from None
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise DataError(
            f'{path} is not an annotation file of tubes ("format" is not '
            f'"{FORMAT}"); {remedy}'
        )
    if content.get('version') != VERSION:
        raise DataError(
            f'{path} is of version {content.get("version")!r}, this release '
            f'reads version {VERSION}; {remedy}'
        )
    try:
        return _parse(content)
    except DataError as error:
        raise DataError(f'{path}: {error}') from None
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f'{path} is damaged ({type(error).__name__}: {error}); {remedy}'
        ) from None
    except OverflowError:
        raise DataError(f'{path} holds a number beyond any box') from None


def _parse(content: dict) -> TubeAnnotations:
    classes = tuple(_names(content['classes'], 'classes'))
    videos = {}
    for name, video in content['videos'].items():
        tubes = tuple(
            Tube(
                _integer(tube['label'], name),
                _integer(tube['start'], name),
                _boxes(tube['boxes'], name),
            )
            for tube in video['tubes']
        )
        size = (video[key] for key in ('num_frames', 'width', 'height'))
        size = (_integer(number, name) for number in size)
        videos[name] = TubeVideo(name, *size, tubes)
        check_video(videos[name], len(classes))
    splits = content['splits']
    for split, subsets in splits.items():
        for subset, names in subsets.items():
            _names(names, f'split {split}/{subset}')
            unknown = [name for name in names if name not in videos]
            if unknown:
                raise DataError(
                    f'split {split}/{subset} names {len(unknown)} videos '
                    f'without annotation, first {unknown[0]}'
                )
    if not isinstance(content['dataset'], str):
        raise DataError(f'dataset is {content["dataset"]!r}, not a name')
    return TubeAnnotations(content['dataset'], classes, splits, videos)


def check_name(name: str) -> None:
    """Raise DataError for a video's name that is no path below a folder.

    Names become paths of files that are read and written.
    """
    if '\0' in name or not {'', '.', '..'}.isdisjoint(name.split('/')):
        raise DataError(
            f'video name {name[:80]!r} leads out of its folder or to no '
            'file; give names like <class>/<video>'
        )


def check_video(video: TubeVideo, num_classes: int) -> None:
    """Raise DataError where a video's annotation cannot be right."""
    check_name(video.name)
    if not (
        1 <= video.num_frames <= MAX_FRAMES
        and 1 <= video.width <= MAX_SIDE
        and 1 <= video.height <= MAX_SIDE
    ):
        raise DataError(
            f'{video.name} has {video.num_frames} frames of {video.width}x'
            f'{video.height}: all three are 1 or more, and at most '
            f'{MAX_FRAMES} frames with sides of {MAX_SIDE} are read'
        )
    for number, tube in enumerate(video.tubes):
        if fault := _fault(tube, video, num_classes):
            raise DataError(f'tube {number} of {video.name} {fault}')


def _fault(tube: Tube, video: TubeVideo, num_classes: int) -> str | None:
    """What is wrong with a tube."""
    boxes = tube.boxes
    if not 0 <= tube.label < num_classes:
        return f'has label {tube.label}, outside 0..{num_classes - 1}'
    if not len(boxes):
        return 'has no box'
    if tube.start < 0 or tube.stop > video.num_frames:
        return (
            f'covers frames {tube.start}..{tube.stop - 1} of a video of '
            f'{video.num_frames} frames'
        )
    good = np.isfinite(boxes).all(1) & (boxes[:, 2:] > boxes[:, :2]).all(1)
    if not good.all():
        first = int(good.argmin())
        return (
            f'has {int((~good).sum())} boxes that are not x1 < x2, y1 < y2, '
            f'first {boxes[first].tolist()} in frame {tube.start + first}'
        )
    if (boxes < 0).any() or (boxes > [video.width, video.height] * 2).any():
        return (
            f'leaves the frame of {video.width}x{video.height}; the '
            'converters clip and count such boxes'
        )
    return None


def _integer(value: object, name: str) -> int:
    if type(value) is not int:
        raise DataError(f'{name} has {value!r} where an integer belongs')
    return value


def _names(value: object, what: str) -> list[str]:
    """A list of names, none of them twice."""
    if not isinstance(value, list) or {*map(type, value)} - {str}:
        raise DataError(f'{what} is not a list of names')
    twice = [name for name, number in Counter(value).items() if number > 1]
    if twice:
        raise DataError(f'{what} names {twice[0]} twice')
    return value


def _boxes(value: object, name: str) -> np.ndarray:
    """(F, 4) float32 of lists of four numbers."""
    if not isinstance(value, list) or not all(
        isinstance(box, list)
        and len(box) == 4
        and all(type(x) in (int, float) for x in box)
        for box in value
    ):
        raise DataError(f'a tube of {name} has boxes that are not 4 numbers')
    return np.asarray(value, np.float32).reshape(-1, 4)


def _plain(boxes: np.ndarray) -> list[list[float]]:
    """Whole numbers without a decimal point, others to a 1/1000 pixel."""
    return [
        [int(x) if x == int(x) else round(x, 3) for x in box]
        for box in np.asarray(boxes, np.float64).tolist()
    ]
