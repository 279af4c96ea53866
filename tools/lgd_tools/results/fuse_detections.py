"""Fuses the detections of several streams: two-stream RGB and flow, say.

Late fusion: where all streams have the same box, the weighted mean of its
class scores (equal weights unless --weights says otherwise). The streams
must have looked at the same frames with the same proposals; boxes are
paired by video, frame and place, never by their order in the file. What
does not pair is an error that names the first frame.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lgd_tools.cli import ToolError, file_sha256, make_parser
from lgd_tools.results.fuse_streams import named_paths
from lgd_tools.results.stream_weights import normalise_weights

EXAMPLE = (
    'python tools/analysis/fuse_detections.py rgb=rgb.npz flow=flow.npz \\\n'
    '    --weights 0.6 0.4 --out fused.npz'
)

# the same float32 box, sent through other crops and back
TOLERANCE = 1e-4


def fuse_detections(
    tables: dict,
    weights: Sequence[float] | None = None,
    tolerance: float = TOLERANCE,
):
    """Fuses tables of detections.

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
        if table.scores.shape[1] != first.scores.shape[1]:
            raise ToolError(
                f'{both} have {first.scores.shape[1]} and '
                f'{table.scores.shape[1]} classes; they are of different '
                'data sets'
            )
        _same_frames(first, table, both)
        rows = _pair(first, table, both, tolerance)
        scores += share * table.scores[rows].astype(np.float64)
    return type(first)(
        videos=first.videos,
        video=first.video,
        frame=first.frame,
        boxes=first.boxes,
        scores=scores.astype(np.float32),
        frames_video=first.frames_video,
        frames_frame=first.frames_frame,
    )


def _same_frames(first, other, both: str) -> None:
    """Raises ToolError unless both tables tested the same frames."""
    tested = [
        set()
        if table.frames_video is None
        else {
            (str(table.videos[v]), f)
            for v, f in zip(
                table.frames_video.tolist(),
                table.frames_frame.tolist(),
                strict=True,
            )
        }
        for table in (first, other)
    ]
    different = sorted(tested[0] ^ tested[1])
    if different:
        video, frame = different[0]
        raise ToolError(
            f'{both} did not test the same frames: {len(different)} are in '
            f'one only, first frame {frame} of {video}; test both streams on '
            'the same frames'
        )


def _pair(first, other, both: str, tolerance: float) -> np.ndarray:
    """(M,) the row of `other` that has the box of each row of `first`."""
    names = sorted({str(n) for n in [*first.videos, *other.videos]})
    index = {name: i for i, name in enumerate(names)}
    keys = []
    for table in (first, other):
        own = np.array([index[str(n)] for n in table.videos], np.int64)
        keys.append(own[table.video] * 2**32 + table.frame)
    counts = [
        dict(zip(*np.unique(key, return_counts=True), strict=True))
        for key in keys
    ]
    for key in sorted(counts[0].keys() | counts[1].keys()):
        a, b = (count.get(key, 0) for count in counts)
        if a != b:
            raise ToolError(
                f'{both} have {a} and {b} boxes in frame {key % 2**32} of '
                f'{names[key // 2**32]}; test both streams with the same '
                'file of proposals'
            )
    order = [np.argsort(key, kind='stable') for key in keys]
    rows = np.empty(len(first), np.int64)
    rows[order[0]] = order[1]  # right where the order is the same
    wrong = _distance(first, other, np.arange(len(first)), rows) > tolerance
    starts = np.searchsorted(keys[0][order[0]], np.unique(keys[0][wrong]))
    for start in starts.tolist():
        key = keys[0][order[0][start]]
        end = start + int(counts[0][key])
        mine, theirs = order[0][start:end], order[1][start:end].tolist()
        for row in mine.tolist():
            far = _distance(first, other, np.full(len(theirs), row), theirs)
            best = int(far.argmin())
            if not far[best] <= tolerance:
                raise ToolError(
                    f'{both} have different boxes in frame {key % 2**32} of '
                    f'{names[key // 2**32]}: {first.boxes[row].tolist()} has '
                    f'none within {tolerance} of it; test both streams with '
                    'the same file of proposals, or raise --tolerance'
                )
            rows[row] = theirs.pop(best)
    return rows


def _distance(first, other, mine, theirs) -> np.ndarray:
    """(n,) largest difference of a coordinate; NaN never pairs."""
    difference = first.boxes[mine].astype(np.float64) - other.boxes[theirs]
    far = np.abs(difference).max(1, initial=0)
    return np.where(np.isnan(far), np.inf, far)


def fuse_files(
    files: dict[str, str | Path],
    out: str | Path,
    weights: Sequence[float] | None = None,
    tolerance: float = TOLERANCE,
) -> dict:
    """Fuses files into `out`; returns what was fused, in plain types."""
    # the package imports torch: not for --help
    from lgd_mmaction.detection.box_table import BoxTable

    if len(files) < 2:
        raise ToolError('one stream needs no fusion; give two files or more')
    if Path(out).resolve() in {Path(p).resolve() for p in files.values()}:
        raise ToolError(f'--out {out} is one of the inputs; name another file')
    tables = {
        name: BoxTable.load(path, 'detections') for name, path in files.items()
    }
    hashes = {name: file_sha256(path) for name, path in files.items()}
    if len(set(hashes.values())) < len(hashes):
        raise ToolError('two of the streams are the same file')
    fused = fuse_detections(tables, weights, tolerance)
    fused.save(out)
    shares = normalise_weights(weights, len(tables))
    return {
        'streams': [
            {'name': n, 'sha256': hashes[n], 'weight': float(share)}
            for n, share in zip(files, shares, strict=True)
        ],
        'boxes': len(fused),
        'out': str(out),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        'streams',
        nargs='+',
        metavar='[NAME=]DETECTIONS.npz',
        help='files of TubeMetric(out_file=...), one a stream',
    )
    parser.add_argument(
        '--weights',
        type=float,
        nargs='+',
        metavar='W',
        help='one a stream, in their order (default: equal)',
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        default=TOLERANCE,
        metavar='FRACTION',
        help='largest difference of a coordinate between the same boxes, as '
        'a fraction of the frame (default: %(default)s)',
    )
    parser.add_argument('--out', required=True, metavar='FUSED.npz')
    args = parser.parse_args(argv)
    files = named_paths(args.streams)
    report = fuse_files(files, args.out, args.weights, args.tolerance)
    for stream in report['streams']:
        print(f'{stream["name"]}: weight {stream["weight"]:.3g}')
    print(f'{report["boxes"]} boxes fused: {report["out"]}')
    return 0
