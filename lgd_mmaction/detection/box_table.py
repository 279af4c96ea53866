"""Files of boxes: what a person detector proposes, what a network detects.

Both are one table in a NumPy ``.npz`` archive, read without pickles:

    videos  (V,) str       video names, as in the annotation file
    video   (M,) int32     index into ``videos`` of each box
    frame   (M,) int32     frame of each box, counted from 0
    boxes   (M, 4) float32 x1 y1 x2 y2, as fractions of width and height
    score   (M,) float32   how sure the detector is of the box (proposals)
    scores  (M, K) float32 score of each class (detections)
    frames_video, frames_frame  (P,) int32  every frame that was looked at,
                           boxes or not (detections)

A file of proposals has ``score``, a file of detections ``scores``.
"""

import io
import sys
import zipfile
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from lgd_mmaction.detection.annotations import check_name
from lgd_mmaction.errors import DataError
from lgd_mmaction.files import write_bytes


@dataclass
class BoxTable:
    """M boxes in frames of V videos; see the module for the fields."""

    videos: np.ndarray
    video: np.ndarray
    frame: np.ndarray
    boxes: np.ndarray
    score: np.ndarray | None = None
    scores: np.ndarray | None = None
    frames_video: np.ndarray | None = None
    frames_frame: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    def save(self, path: str | PathLike) -> None:
        """Write the table, whole or not at all."""
        fields = {k: v for k, v in vars(self).items() if v is not None}
        content = io.BytesIO()
        np.savez_compressed(content, **fields)
        write_bytes(path, content.getvalue())

    @classmethod
    def load(cls, path: str | PathLike, kind: str) -> 'BoxTable':
        """Read a table of 'proposals' or 'detections' (.npz), and check it.

        Raises:
            DataError: The file is missing, damaged or of the other kind, or
                its fields do not fit one another.
        """
        path = Path(path)
        try:
            fields = cls._read(path)
        except FileNotFoundError:
            raise DataError(
                f'the file of {kind} {path} does not exist; '
                'tools/data/detect_people.py makes proposals, '
                'TubeMetric.out_file detections'
            ) from None
        # a damaged zip, or header of an array, can raise nearly anything
        except Exception as error:
            raise DataError(
                f'{path} cannot be read as a file of {kind} ({error}); '
                'docs/detection.md describes the format'
            ) from None
        needed = {'proposals': 'score', 'detections': 'scores'}[kind]
        missing = {'videos', 'video', 'frame', 'boxes', needed} - set(fields)
        if missing:
            raise DataError(
                f'{path} is no file of {kind}: {", ".join(sorted(missing))} '
                'missing; docs/detection.md describes the format'
            )
        table = cls(**fields)
        try:
            table._check()
        except DataError as error:
            raise DataError(f'{path}: {error}') from None
        return table

    @classmethod
    def _read(cls, path: Path) -> dict[str, np.ndarray]:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        # boxes do not shrink so much; a few bytes could fill the memory
        if size > max(2**26, 200 * path.stat().st_size):
            raise ValueError(f'it unpacks to {size} bytes')
        with np.load(path, allow_pickle=False) as archive:
            known = cls.__dataclass_fields__
            fields = {k: archive[k] for k in archive.files if k in known}
        # numpy hands out an entry that is no array as bytes
        other = [k for k, v in fields.items() if not hasattr(v, 'dtype')]
        if other:
            raise ValueError(f'{", ".join(other)} is no array')
        return fields

    def _check(self) -> None:
        video = getattr(self.frames_video, 'shape', None)
        frame = getattr(self.frames_frame, 'shape', None)
        if video != frame:
            raise DataError(
                f'frames_video and frames_frame have shapes {video} and '
                f'{frame}, not both (frames,)'
            )
        rows = len(self.boxes) if self.boxes.ndim else 0
        for name, shape, kinds, content in (
            ('videos', (None,), 'U', 'names'),
            ('video', (rows,), 'iu', 'integers'),
            ('frame', (rows,), 'iu', 'integers'),
            ('boxes', (rows, 4), 'f', 'floats'),
            ('score', (rows,), 'f', 'floats'),
            ('scores', (rows, None), 'f', 'floats'),
            ('frames_video', (None,), 'iu', 'integers'),
            ('frames_frame', (None,), 'iu', 'integers'),
        ):
            array = getattr(self, name)
            if array is None:
                continue
            known = zip(shape, array.shape, strict=True)
            if array.ndim != len(shape) or any(
                wanted not in (None, length) for wanted, length in known
            ):
                raise DataError(
                    f'{name} has shape {array.shape}, not {shape} (None: any)'
                )
            if array.dtype.kind not in kinds:
                raise DataError(f'{name} does not hold {content}')
        kind = self.videos.dtype
        if kind.itemsize:
            codes = self.videos.view(f'{kind.byteorder}u4')
            if (codes > sys.maxunicode).any():
                raise DataError('videos does not hold Unicode text')
        # one by one: a list of 10**9 empty names would fill the memory
        for name in self.videos:
            check_name(str(name))
        for name in ('video', 'frames_video'):
            index = getattr(self, name)
            if index is not None and (
                (index < 0).any() or (index >= len(self.videos)).any()
            ):
                raise DataError(f'{name} points outside the list of videos')
