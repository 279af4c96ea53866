"""Detect people in the videos of an annotation file: proposals for testing.

Runs a detector of mmdet (any config and checkpoint) over every annotated
frame and writes one file of proposals, which ActionTubeDataset reads
(`proposal_file`; docs/detection.md describes it). Each finished video is kept
in a folder beside the result: an interrupted run goes on where it stopped,
and a later run may add the other subset.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lgd_tools.cli import (
    EXIT_INCOMPLETE,
    EXIT_OK,
    ToolError,
    make_parser,
    positive_int,
    progress,
    require_dir,
    require_file,
    warn,
    write_json,
)

EXAMPLE = """\
  python tools/data/detect_people.py data/ucf101_24/ucf101_24_tubes.json \\
      faster-rcnn_r50_fpn_2x_coco.py faster_rcnn_r50_fpn_2x_coco.pth \\
      --videos data/ucf101_24/videos --split 1 --subset test \\
      --out data/ucf101_24/ucf101_24_proposals.npz --device cuda:0
  python tools/data/detect_people.py data/jhmdb/jhmdb_tubes.json \\
      detector.py detector.pth --frames data/jhmdb/rawframes \\
      --filename-tmpl '{:05}.png' --out data/jhmdb/jhmdb_proposals.npz"""


# ------------------------------------------------------------------- frames
def frames_of(path: Path, template: str | None, video: Any) -> Iterator:
    """The annotated frames of a video in order: (H, W, 3) uint8, BGR.

    Args:
        path: A video file, or with ``template`` a folder of images.
        template: Names of the images, counted from 1.
        video: Its annotation.

    Raises:
        ToolError: A frame or the file is missing or damaged.
    """
    if template is not None:
        import cv2

        for number in range(1, video.num_frames + 1):
            file = path / template.format(number)
            image = cv2.imread(str(file))
            if image is None:
                raise ToolError(f'{file} is missing or no image')
            yield image
        return
    from lgd_tools.jobs import JobError
    from lgd_tools.video import VideoFile

    if not path.is_file():
        raise ToolError(f'{path} does not exist')
    count = 0
    try:
        with VideoFile(path) as file:
            for frame in file.frames('bgr24'):
                if count == video.num_frames:
                    return
                count += 1
                yield frame.to_ndarray()
    except JobError as error:
        raise ToolError(f'{path}: {error}') from error
    if count < video.num_frames:
        raise ToolError(
            f'{path} has {count} frames, its annotation {video.num_frames}'
        )


def batches(frames: Iterator, size: int) -> Iterator[list]:
    batch = []
    for frame in frames:
        batch.append(frame)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


# ----------------------------------------------------------------- detector
class Detector:
    """A detector of mmdet: boxes of chosen classes in a list of images.

    Raises:
        LGDError: mmdet is missing, or config, checkpoint or class are
            wrong.
    """

    def __init__(self, args: Any) -> None:
        from mmdet.apis import init_detector
        from mmdet.utils import get_test_pipeline_cfg
        from mmengine.dataset import Compose

        import lgd_mmaction.detection.require_mmdet  # noqa: F401  (and upstream fixes)

        try:
            self.model = init_detector(
                str(args.config), str(args.checkpoint), device=args.device
            )
        except Exception as error:
            text = str(error).strip().split('\n', 1)[0]
            raise ToolError(
                f'the detector {args.config} cannot be built with '
                f'{args.checkpoint} on {args.device}: '
                f'{type(error).__name__}: {text}'
            ) from error
        pipeline = get_test_pipeline_cfg(self.model.cfg.copy())
        pipeline[0].type = 'mmdet.LoadImageFromNDArray'
        self.pipeline = Compose(pipeline)
        self.labels = self._labels(args.classes)
        self.score_thr, self.number = args.score_thr, args.max_per_frame

    def _labels(self, chosen: list[str]) -> np.ndarray | None:
        if chosen == ['all']:
            return None
        classes = list(self.model.dataset_meta['classes'])
        unknown = [name for name in chosen if name not in classes]
        if unknown:
            shown = ', '.join(classes[:5])
            raise ToolError(
                f'the detector has no class {unknown[0]!r}; it has '
                f'{len(classes)}: {shown} ...; give --classes, or all'
            )
        return np.array([classes.index(name) for name in chosen])

    def __call__(
        self, images: list[np.ndarray]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes (n, 4) as fractions, scores (n,), best first, per image."""
        import torch
        from mmengine.dataset import pseudo_collate

        data = [self.pipeline(dict(img=i, img_id=0)) for i in images]
        with torch.no_grad():
            samples = self.model.test_step(pseudo_collate(data))
        return [
            self._chosen(sample.pred_instances, image)
            for sample, image in zip(samples, images, strict=True)
        ]

    def _chosen(
        self, found: Any, image: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        height, width = image.shape[:2]
        boxes = found.bboxes.float().cpu().numpy().astype(np.float64)
        boxes = np.clip(boxes / ([width, height] * 2), 0, 1)
        scores = found.scores.float().cpu().numpy()
        keep = (scores >= self.score_thr) & np.isfinite(boxes).all(1)
        keep &= (boxes[:, 2:] > boxes[:, :2]).all(1)
        if self.labels is not None:
            keep &= np.isin(found.labels.cpu().numpy(), self.labels)
        best = np.argsort(-scores[keep], kind='stable')[: self.number]
        return boxes[keep][best], scores[keep][best]


# -------------------------------------------------------------------- files
def table_of(name: str, frames: list[tuple[np.ndarray, np.ndarray]]) -> Any:
    """The proposals of one video as a BoxTable."""
    from lgd_mmaction.detection.box_table import BoxTable

    counts = [len(scores) for _, scores in frames]
    boxes = [b for b, _ in frames] or [np.zeros((0, 4))]
    scores = [s for _, s in frames] or [np.zeros(0)]
    return BoxTable(
        videos=np.array([name]),
        video=np.zeros(sum(counts), np.int32),
        frame=np.repeat(np.arange(len(frames), dtype=np.int32), counts),
        boxes=np.concatenate(boxes).astype(np.float32),
        score=np.concatenate(scores).astype(np.float32),
        frames_video=np.zeros(len(frames), np.int32),
        frames_frame=np.arange(len(frames), dtype=np.int32),
    )


def merge(tables: list) -> Any:
    """One BoxTable of several of one video each, in their order."""
    from lgd_mmaction.detection.box_table import BoxTable

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(t, name) for t in tables])

    index = range(len(tables))
    boxes = [len(t) for t in tables]
    frames = [len(t.frames_frame) for t in tables]
    return BoxTable(
        videos=joined('videos'),
        video=np.repeat(np.array(index, np.int32), boxes),
        frame=joined('frame'),
        boxes=joined('boxes'),
        score=joined('score'),
        frames_video=np.repeat(np.array(index, np.int32), frames),
        frames_frame=joined('frames_frame'),
    )


def require_same_settings(parts: Path, args: Any) -> None:
    """Check that finished videos were detected with the same settings."""
    settings = dict(
        config=str(args.config),
        checkpoint=str(args.checkpoint),
        classes=args.classes,
        score_thr=args.score_thr,
        max_per_frame=args.max_per_frame,
    )
    file = parts / 'settings.json'
    if file.is_file():
        try:
            before = json.loads(file.read_text(encoding='utf-8'))
        except ValueError:
            before = {}
        if before != settings:
            raise ToolError(
                f'{parts} holds proposals made with other settings '
                f'({before}): delete the folder, or choose another --out'
            )
    write_json(file, settings)


def finished(part: Path) -> Any:
    """The proposals of a video from an earlier run, or None."""
    from lgd_mmaction.detection.box_table import BoxTable
    from lgd_mmaction.errors import DataError

    try:
        return BoxTable.load(part, 'proposals')
    except DataError:  # not there, or damaged: once more
        return None


def parse(argv: list[str] | None) -> Any:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument('annotations', type=Path, help='..._tubes.json')
    parser.add_argument('config', type=Path, help='config of the detector')
    parser.add_argument('checkpoint', type=Path, help='its .pth file')
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        '--videos', type=Path, metavar='DIR', help='<class>/<video>.avi'
    )
    source.add_argument(
        '--frames', type=Path, metavar='DIR', help='<class>/<video>/00001.jpg'
    )
    parser.add_argument('--out', type=Path, required=True, metavar='NPZ')
    parser.add_argument('--split', help='only this split (default: all)')
    parser.add_argument('--subset', help='only its train or test videos')
    parser.add_argument(
        '--suffix', default='.avi', help='of the videos (default: .avi)'
    )
    parser.add_argument(
        '--filename-tmpl',
        default='{:05}.jpg',
        metavar='TMPL',
        help='names of the images, counted from 1 (default: {:05}.jpg)',
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        default=['person'],
        metavar='NAME',
        help='of the detector, or all (default: person)',
    )
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.05,
        metavar='S',
        help='leave out boxes below this score (default: 0.05)',
    )
    parser.add_argument(
        '--max-per-frame',
        type=positive_int,
        default=20,
        metavar='N',
        help='keep the best N boxes of a frame (default: 20)',
    )
    parser.add_argument(
        '--batch',
        type=positive_int,
        default=8,
        metavar='N',
        help='frames at a time (default: 8)',
    )
    parser.add_argument(
        '--device', default='cuda:0', help='or cpu (default: cuda:0)'
    )
    args = parser.parse_args(argv)
    if bool(args.split) != bool(args.subset):
        parser.error('--split and --subset go together')
    if args.out.suffix != '.npz':
        parser.error(f'--out must end in .npz, not {args.out.name}')
    return args


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    require_file(args.config, 'config')
    require_file(args.checkpoint, 'checkpoint')
    root = require_dir(args.videos or args.frames, 'folder')
    from lgd_mmaction.detection.annotations import load_tubes

    annotations = load_tubes(args.annotations)
    videos = list(annotations.videos.values())
    if args.split:
        videos = annotations.subset(args.split, args.subset)
    parts = args.out.with_name(f'{args.out.stem}_parts')
    require_same_settings(parts, args)
    template = args.filename_tmpl if args.frames else None
    detector, bad, skipped = None, [], 0
    for video in progress(videos, 'videos'):
        part = parts / f'{video.name}.npz'
        if finished(part) is not None:
            skipped += 1
            continue
        detector = detector or Detector(args)
        path = root / (video.name if template else video.name + args.suffix)
        found = []
        try:
            for batch in batches(frames_of(path, template, video), args.batch):
                found += detector(batch)
        except ToolError as error:
            bad.append(video.name)
            warn(str(error))
            continue
        table_of(video.name, found).save(part)
    # those of earlier runs with another subset, too
    tables = [finished(parts / f'{name}.npz') for name in annotations.videos]
    tables = [table for table in tables if table is not None]
    if not tables:
        raise ToolError(
            f'none of the {len(videos)} videos in {root} could be read: '
            'check the folder, --suffix and --filename-tmpl'
        )
    result = merge(tables)
    result.save(args.out)
    frames = len(result.frames_frame)
    with_box = len(
        np.unique(result.video.astype(np.int64) << 32 | result.frame)
    )
    print(
        f'{args.out}: {len(result)} boxes in {frames} frames of '
        f'{len(tables)} videos ({skipped} of this run were ready), '
        f'{frames - with_box} frames without a box, {len(bad)} videos failed'
    )
    return EXIT_INCOMPLETE if bad else EXIT_OK
