"""Measure a file of detections: frame-mAP and video-mAP, class by class.

The same measures as TubeMetric's, without running a network: for other
settings, for fused streams, for detections of other code. The file is a
table of boxes (.npz) as TubeMetric(out_file=...) and fuse_detections.py
write it; docs/detection.md describes it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict

from lgd_tools.cli import ToolError, file_sha256, make_parser, write_json

EXAMPLE = (
    'python tools/analysis/evaluate_tubes.py detections.npz \\\n'
    '    --ann data/ucf101_24/ucf101_24_tubes.json --trim level=0.5 \\\n'
    '    --link iou=0.1 top_k=20 --out numbers.json'
)


def settings(words: Sequence[str]) -> dict[str, float]:
    """`iou=0.1 top_k=20` as a dict of numbers."""
    pairs = [word.partition('=') for word in words]
    try:
        return {name: json.loads(value) for name, _, value in pairs}
    except ValueError:
        raise ToolError(
            f'{" ".join(words)!r} is not KEY=NUMBER ...; docs/detection.md '
            'describes the settings of the metric'
        ) from None


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    # fmt: off
    add('detections', metavar='DETECTIONS.npz')
    add('--ann', required=True, metavar='JSON', help='annotations of tubes')
    add('--split', default='1', help='(%(default)s)')
    add('--subset', default='test', help='(%(default)s)')
    add('--frame-iou', type=float, nargs='+', default=[0.5], metavar='IOU',
        help='overlaps of frame-mAP (0.5)')
    add('--video-iou', type=float, nargs='+', default=[0.2, 0.5, 0.75],
        metavar='IOU', help='overlaps of video-mAP (0.2 0.5 0.75), beside '
        'the mean over 0.5:0.95')
    add('--ap', choices=('area', 'voc'), default='area',
        help="average precision: ACT's area under the curve (default), or "
        'that of PASCAL VOC')
    add('--nms-iou', type=float, metavar='IOU',
        help='class-wise suppression in each frame first (default: none)')
    add('--link', nargs='+', default=[], metavar='KEY=NUMBER', help='iou, '
        'overlap_weight, top_k, max_gap, min_length, min_score')
    add('--trim', nargs='*', metavar='KEY=NUMBER', help='trim the tubes in '
        'time (UCF101-24; not for J-HMDB): level, penalty')
    add('--out', metavar='JSON', help='all numbers')
    # fmt: on
    args = parser.parse_args(argv)
    # the package imports torch: not for --help
    from lgd_mmaction.detection import TubeProtocol, evaluate_tubes
    from lgd_mmaction.detection.annotations import load_tubes
    from lgd_mmaction.detection.box_table import BoxTable

    protocol = TubeProtocol.from_dicts(
        settings(args.link),
        None if args.trim is None else settings(args.trim),
        frame_thresholds=args.frame_iou,
        video_thresholds=args.video_iou,
        nms_iou=args.nms_iou,
        ap=args.ap,
    )
    annotations = load_tubes(args.ann)
    table = BoxTable.load(args.detections, 'detections')
    report = evaluate_tubes(
        table, annotations, args.split, args.subset, protocol
    )
    print(f'{annotations.dataset} {args.split}/{args.subset}, per cent')
    print(report.table())
    for text in report.warnings():
        print(f'warning: {text}')
    if args.out:
        content = {
            'tool': 'evaluate_tubes',
            'detections': args.detections,
            'sha256': file_sha256(args.detections),
            'annotations': args.ann,
            'dataset': annotations.dataset,
            'split': args.split,
            'subset': args.subset,
            'settings': asdict(protocol),
            **report.as_json(),
        }
        print(f'numbers: {write_json(args.out, content)}')
    return int(bool(report.warnings()))
