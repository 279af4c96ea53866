"""Fuse the detections of several streams: two-stream RGB and flow, say.

Late fusion: where all streams have the same box, the weighted mean of its
class scores (equal weights unless --weights says otherwise). The streams
must have looked at the same frames with the same proposals: boxes are paired
by video, frame and their order in the frame, and each pair is compared. What
differs is an error that names the first frame.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lgd_tools.cli import ToolError, make_parser
from lgd_tools.results.fuse_streams import (
    file_hashes,
    named_paths,
    normalise_weights,
)

EXAMPLE = (
    'python tools/analysis/fuse_detections.py rgb=rgb.npz flow=flow.npz \\\n'
    '    --weights 0.6 0.4 --out fused.npz'
)

# of a coordinate of the same float32 box, sent through other crops and back,
# as a fraction of the frame
TOLERANCE = 1e-4
_FRAMES = 2**32  # more than a video has: video * _FRAMES + frame is a key


def fuse_detections(tables: dict, weights: Sequence[float] | None = None):
    """Fuse BoxTables, by the stream's name, into one with the first's boxes.

    One weight a stream; equal ones for None.
    """
    shares = normalise_weights(weights, len(tables))
    (first_name, first), *others = tables.items()
    scores = shares[0] * first.scores.astype(np.float64)
    for share, (name, table) in zip(shares[1:], others, strict=True):
        both = f'{first_name} and {name}'
        classes = first.scores.shape[1], table.scores.shape[1]
        if classes[0] != classes[1]:
            raise ToolError(
                f'{both} have {classes[0]} and {classes[1]} classes; they '
                'are of different data sets'
            )
        scores += share * table.scores[_pair(first, table, both)]
    return replace(first, scores=scores.astype(np.float32))


def _pair(first, other, both: str) -> np.ndarray:
    """(M,) the row of `other` that has the box of each row of `first`."""
    tables = first, other
    names = np.union1d(first.videos, other.videos)

    def keys(table, video: np.ndarray, frame: np.ndarray) -> np.ndarray:
        """One number for each frame of all videos."""
        place = np.searchsorted(names, table.videos).astype(np.int64)
        return place[video] * _FRAMES + frame

    def place(key: int) -> str:
        return f'frame {key % _FRAMES} of {names[key // _FRAMES]}'

    tested = [
        keys(t, t.frames_video, t.frames_frame)
        for t in tables
        if t.frames_video is not None
    ]
    if len(tested) == 2 and len(alone := np.setxor1d(*tested)):
        raise ToolError(
            f'{both} did not test the same frames: {len(alone)} are in one '
            f'only, first {place(alone[0])}; test both on the same frames'
        )
    mine, theirs = (keys(t, t.video, t.frame) for t in tables)
    a, b = Counter(mine.tolist()), Counter(theirs.tolist())
    different = [*(a - b), *(b - a)]
    rows = np.empty(len(first), np.int64)
    if not different:
        order = np.argsort(mine, kind='stable')
        rows[order] = np.argsort(theirs, kind='stable')
        near = np.abs(first.boxes - other.boxes[rows]) <= TOLERANCE
        different = mine[~near.all(1)].tolist()  # NaN too
    if different:
        raise ToolError(
            f'{both} have different boxes in {place(min(different))}; test '
            'both streams with the same file of proposals'
        )
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    # fmt: off
    add('streams', nargs='+', metavar='[NAME=]DETECTIONS.npz',
        help='files of TubeMetric(out_file=...), one a stream')
    add('--weights', type=float, nargs='+', metavar='W',
        help='one a stream, in their order (default: equal)')
    add('--out', required=True, metavar='FUSED.npz')
    # fmt: on
    args = parser.parse_args(argv)
    # the package imports torch: not for --help
    from lgd_mmaction.detection.box_table import BoxTable

    files = named_paths(args.streams)
    if len(files) < 2:
        raise ToolError('one stream needs no fusion; give two files or more')
    if Path(args.out).resolve() in {Path(p).resolve() for p in files.values()}:
        raise ToolError(
            f'--out {args.out} is one of the inputs; name another file'
        )
    tables = {n: BoxTable.load(p, 'detections') for n, p in files.items()}
    file_hashes(files)  # refuses twins
    fused = fuse_detections(tables, args.weights)
    fused.save(args.out)
    shares = normalise_weights(args.weights, len(tables))
    for name, share in zip(files, shares, strict=True):
        print(f'{name}: weight {share:.3g}')
    print(f'{len(fused)} boxes fused: {args.out}')
    return 0
