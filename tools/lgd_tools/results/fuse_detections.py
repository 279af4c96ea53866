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

# the same float32 box, sent through other crops and back
TOLERANCE = 1e-4
_FRAMES = 2**32  # more than a video has: video * _FRAMES + frame is a key


def fuse_detections(
    tables: dict,
    weights: Sequence[float] | None = None,
    tolerance: float = TOLERANCE,
):
    """Fuse tables of detections.

    Args:
        tables: BoxTable of each stream, by the stream's name.
        weights: One a stream; equal ones for None.
        tolerance: Largest difference of a coordinate, as a fraction of the
            frame, between boxes that count as the same.

    Returns:
        A BoxTable in the order of the first stream, with its boxes.

    Raises:
        ToolError: The streams do not fit one another.
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
        scores += share * table.scores[_pair(first, table, both, tolerance)]
    return replace(first, scores=scores.astype(np.float32))


def _pair(first, other, both: str, tolerance: float) -> np.ndarray:
    """(M,) the row of `other` that has the box of each row of `first`."""
    names = sorted({str(n) for n in (*first.videos, *other.videos)})
    index = {name: i * _FRAMES for i, name in enumerate(names)}
    tested, keys = [], []
    for table in (first, other):
        own = np.array([index[str(n)] for n in table.videos], np.int64)
        keys.append(own[table.video] + table.frame)
        if table.frames_video is None:
            tested.append(np.unique(keys[-1]))
        else:
            tested.append(own[table.frames_video] + table.frames_frame)

    def place(key: int) -> str:
        return f'frame {key % _FRAMES} of {names[key // _FRAMES]}'

    different = np.setxor1d(*tested).tolist()
    if different:
        raise ToolError(
            f'{both} did not test the same frames: {len(different)} are in '
            f'one only, first {place(different[0])}; test both streams on '
            'the same frames'
        )
    counts = [Counter(own.tolist()) for own in keys]
    for key in sorted(counts[0].keys() | counts[1].keys()):
        if counts[0][key] != counts[1][key]:
            raise ToolError(
                f'{both} have {counts[0][key]} and {counts[1][key]} boxes in '
                f'{place(key)}; test both streams with the same file of '
                'proposals'
            )
    order, other_order = (np.argsort(own, kind='stable') for own in keys)
    rows = np.empty(len(first), np.int64)
    rows[order] = other_order
    far = np.abs(first.boxes.astype(np.float64) - other.boxes[rows])
    wrong = ~(far <= tolerance).all(1)  # NaN too
    if wrong.any():
        row = int(wrong.argmax())
        mine, theirs = first.boxes[row], other.boxes[rows[row]]
        raise ToolError(
            f'{both} have different boxes in {place(int(keys[0][row]))}: '
            f'{mine.tolist()} and {theirs.tolist()}; test both streams with '
            'the same file of proposals, or raise --tolerance'
        )
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add('streams', nargs='+', metavar='[NAME=]DETECTIONS.npz',
        help='files of TubeMetric(out_file=...), one a stream')  # fmt: skip
    add('--weights', type=float, nargs='+', metavar='W',
        help='one a stream, in their order (default: equal)')  # fmt: skip
    add('--tolerance', type=float, default=TOLERANCE, metavar='FRACTION',
        help='largest difference of a coordinate between the same boxes, as '
        'a fraction of the frame (default: %(default)s)')  # fmt: skip
    add('--out', required=True, metavar='FUSED.npz')
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
    fused = fuse_detections(tables, args.weights, args.tolerance)
    fused.save(args.out)
    shares = normalise_weights(args.weights, len(tables))
    for name, share in zip(files, shares, strict=True):
        print(f'{name}: weight {share:.3g}')
    print(f'{len(fused)} boxes fused: {args.out}')
    return 0
