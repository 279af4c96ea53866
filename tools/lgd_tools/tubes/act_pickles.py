"""Read the pickles of the ACT detector: JHMDB-GT.pkl, UCF101v2-GT.pkl.

The format of Kalogeiton et al., Action Tubelet Detector, ICCV 2017, whose
code describes it: a dict (a pickle of Python 2) with the keys

  labels        list of K class names; a label is an index into it
  nframes       {video: number of frames}, video is `<class>/<video>`
  resolution    {video: (height, width)}
  gttubes       {video: {label: [tube, ...]}}, a tube is an array (F, 5) of
                frame x1 y1 x2 y2; frames count from 1
  train_videos  [videos of split 1, videos of split 2, ...]
  test_videos   likewise

What x1 y1 x2 y2 are is the caller's to say. Classes are put in alphabetical
order, whatever order ``labels`` has.
"""

from pathlib import Path

import numpy as np

from lgd_mmaction.detection.annotations import TubeAnnotations, TubeVideo
from lgd_mmaction.pickles import load_values
from lgd_tools.tubes.raw_tubes import (
    COORDINATES,
    RawTube,
    Splits,
    rows_of,
    video_name,
    well_formed,
    whole,
)

LAST_FRAME = 10**9  # far beyond any video


def read_act(dataset: str, path: Path, coordinates: str) -> TubeAnnotations:
    """Read a pickle in the format above; coordinates of ``COORDINATES``.

    Raises:
        ToolError: It is no such file; names the video and what is wrong.
    """
    content = load_values(path, "pickle in ACT's format")
    videos = {}
    with well_formed(f"{path}, a pickle in ACT's format,"):
        labels = dict(enumerate(content['labels']))
        classes, lengths = sorted({*labels.values()}), content['nframes']
        splits = _splits(content['train_videos'], content['test_videos'])
        for name in lengths:
            with well_formed(f'{path}: {name}'):
                height, width = map(whole, content['resolution'][name])
                arrays_of = content['gttubes'].get(name, {})
                tubes = tuple(
                    _tube(classes.index(labels[label]), rows, coordinates)
                    for label, arrays in arrays_of.items()
                    for rows in arrays
                )
                frames, name = whole(lengths[name]), video_name(name)
                videos[name] = TubeVideo(name, frames, width, height, tubes)
    return TubeAnnotations(dataset, tuple(classes), splits, videos)


def _splits(train: list, test: list) -> Splits:
    # a single split may stand without a list around it
    pairs = [
        [lists] if isinstance(lists[0], str) else lists
        for lists in (train, test)
    ]
    return {
        str(number): {
            subset: [video_name(name) for name in part]
            for subset, part in zip(('train', 'test'), names, strict=True)
        }
        for number, names in enumerate(zip(*pairs, strict=True), 1)
    }


def _tube(label: int, rows: object, coordinates: str) -> RawTube:
    rows = rows_of(rows, 5)
    frames = rows[:, 0]
    if not np.array_equal(frames, frames.round().clip(0, LAST_FRAME)):
        raise ValueError('frames are no whole numbers')
    edges = rows[:, 1:] + COORDINATES[coordinates]
    return RawTube(label, frames.astype(np.int64) - 1, edges)
