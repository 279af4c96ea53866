"""Measures a file of detections: frame-mAP and video-mAP, class by class.

The same measures as TubeMetric's, without running a network: for other
settings, for fused streams, for detections of other code. The file is a
table of boxes (.npz) as TubeMetric(out_file=...) and fuse_detections.py
write it; docs/detection.md describes it.
"""

import argparse
from collections.abc import Sequence

from lgd_tools.cli import (
    ToolError,
    file_sha256,
    make_parser,
    positive_int,
    write_json,
)

EXAMPLE = (
    'python tools/analysis/evaluate_tubes.py detections.npz \\\n'
    '    --ann data/ucf101_24/ucf101_24_tubes.json --trim --out numbers.json'
)


def evaluate_file(
    detections: str,
    ann_file: str,
    split: str = '1',
    subset: str = 'test',
    linking: dict | None = None,
    trimming: dict | None = None,
    **options,
) -> tuple[dict, str, list[str]]:
    """Measures one file.

    Args:
        detections: Table of boxes with class scores.
        ann_file: Annotation file of tubes.
        split, subset: Which videos.
        linking, trimming, options: See TubeProtocol.from_dicts.

    Returns:
        What is written as JSON, the printed table, and warnings.

    Raises:
        ToolError: A file or an option is wrong.
    """
    # the package imports torch: not for --help
    from lgd_mmaction.detection import TubeProtocol, evaluate_tubes
    from lgd_mmaction.detection.annotations import load_tubes
    from lgd_mmaction.detection.box_table import BoxTable

    protocol = TubeProtocol.from_dicts(linking, trimming, **options)
    annotations = load_tubes(ann_file)
    table = BoxTable.load(detections, 'detections')
    report = evaluate_tubes(table, annotations, split, subset, protocol)
    content = {
        'tool': 'evaluate_tubes',
        'detections': str(detections),
        'sha256': file_sha256(detections),
        'annotations': str(ann_file),
        'dataset': annotations.dataset,
        'split': str(split),
        'subset': subset,
        'settings': {
            **options,
            'linking': vars(protocol.linking),
            'trimming': None if trimming is None else vars(protocol.trimming),
        },
        **report.as_json(),
    }
    return content, report.table(), report.warnings()


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument('detections', metavar='DETECTIONS.npz')
    parser.add_argument(
        '--ann', required=True, metavar='JSON', help='annotation file of tubes'
    )
    parser.add_argument('--split', default='1', help='default: %(default)s')
    parser.add_argument('--subset', default='test', help='default: test')
    measures = parser.add_argument_group('measures')
    measures.add_argument(
        '--frame-iou',
        type=float,
        nargs='+',
        default=[0.5],
        metavar='IOU',
        help='overlaps of frame-mAP (default: 0.5)',
    )
    measures.add_argument(
        '--video-iou',
        type=float,
        nargs='+',
        default=[0.2, 0.5, 0.75],
        metavar='IOU',
        help='overlaps of video-mAP (default: 0.2 0.5 0.75); the mean over '
        '0.5:0.95 is always there',
    )
    measures.add_argument(
        '--ap',
        choices=('area', 'voc'),
        default='area',
        help="average precision: ACT's area under the curve (default), or "
        'that of PASCAL VOC',
    )
    measures.add_argument(
        '--nms-iou',
        type=float,
        metavar='IOU',
        help='class-wise suppression in each frame first (default: none)',
    )
    measures.add_argument(
        '--trim',
        action='store_true',
        help='trim the tubes in time (UCF101-24; not for J-HMDB)',
    )
    links = parser.add_argument_group('linking and trimming')
    links.add_argument('--link-iou', type=float, default=0.2, metavar='IOU')
    links.add_argument('--overlap-weight', type=float, default=1, metavar='W')
    links.add_argument('--top-k', type=positive_int, default=10, metavar='N')
    links.add_argument('--max-gap', type=int, default=3, metavar='FRAMES')
    links.add_argument(
        '--min-length', type=positive_int, default=1, metavar='FRAMES'
    )
    links.add_argument('--min-score', type=float, default=0, metavar='SCORE')
    links.add_argument('--trim-level', type=float, metavar='SHARE')
    links.add_argument('--trim-penalty', type=float, metavar='P')
    checks = parser.add_argument_group('wrong input')
    checks.add_argument(
        '--drop-invalid',
        action='store_true',
        help='leave out and count boxes with NaN or a negative size; else '
        'they are an error',
    )
    parser.add_argument('--out', metavar='JSON', help='write all numbers here')
    args = parser.parse_args(argv)
    content, table, warnings = evaluate_file(
        args.detections,
        args.ann,
        args.split,
        args.subset,
        linking={
            'iou': args.link_iou,
            'overlap_weight': args.overlap_weight,
            'top_k': args.top_k,
            'max_gap': args.max_gap,
            'min_length': args.min_length,
            'min_score': args.min_score,
        },
        trimming=_trimming(args),
        frame_thresholds=args.frame_iou,
        video_thresholds=args.video_iou,
        nms_iou=args.nms_iou,
        ap=args.ap,
        invalid='drop' if args.drop_invalid else 'error',
    )
    print(f'{content["dataset"]} {args.split}/{args.subset}, per cent')
    print(table)
    for text in warnings:
        print(f'warning: {text}')
    if args.out:
        print(f'numbers: {write_json(args.out, content)}')
    return int(bool(warnings))


def _trimming(args: argparse.Namespace) -> dict | None:
    given = {
        name: value
        for name, value in (
            ('level', args.trim_level),
            ('penalty', args.trim_penalty),
        )
        if value is not None
    }
    if given and not args.trim:
        raise ToolError('--trim-level and --trim-penalty need --trim')
    return given if args.trim else None
