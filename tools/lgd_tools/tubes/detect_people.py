"""Detect people in the videos of an annotation file: proposals for testing.

Runs a detector of mmdet (any config and checkpoint) over every annotated
frame and writes one file of proposals, which ActionTubeDataset reads
(`proposal_file`; docs/detection.md describes it). Each finished video is kept
in a folder beside the result: an interrupted run goes on where it stopped,
and a later run may add the other subset.
"""

import json
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from lgd_mmaction.detection.annotations import TubeVideo, load_tubes
from lgd_mmaction.detection.box_table import BoxTable
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
from lgd_tools.pictures import find_pictures, read_pictures

EXAMPLE = """\
  python tools/data/detect_people.py data/ucf101_24/ucf101_24_tubes.json \\
      faster-rcnn_r50_fpn_2x_coco.py faster_rcnn_r50_fpn_2x_coco.pth \\
      --videos data/ucf101_24/videos --split 1 --subset test \\
      --out data/ucf101_24/ucf101_24_proposals.npz --device cuda:0
  python tools/data/detect_people.py data/jhmdb/jhmdb_tubes.json \\
      detector.py detector.pth --videos data/jhmdb/rawframes \\
      --out data/jhmdb/jhmdb_proposals.npz"""


def frames_of(root: Path, video: TubeVideo) -> Iterator[np.ndarray]:
    """The annotated frames of a video in order: (H, W, 3) uint8, BGR."""
    path, count = find_pictures(root, video.name), 0
    for picture in islice(read_pictures(path), video.num_frames):
        count += 1
        yield np.ascontiguousarray(picture[..., ::-1])
    if count < video.num_frames:
        raise ToolError(
            f'{path} has {count} frames, its annotation {video.num_frames}'
        )


class Detector:
    """A detector of mmdet: boxes of chosen classes in a list of images."""

    def __init__(self, args: Any) -> None:
        # before mmdet: says in one sentence what is missing, mends upstream
        import_module('lgd_mmaction.detection.require_mmdet')
        from mmdet.apis import init_detector
        from mmdet.utils import get_test_pipeline_cfg
        from mmengine.dataset import Compose

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
        self.args, known = args, list(self.model.dataset_meta['classes'])
        chosen = known if args.classes == ['all'] else args.classes
        if unknown := set(chosen) - set(known):
            raise ToolError(
                f'the detector has no class {min(unknown)!r}; it has '
                f'{len(known)}: {", ".join(known[:5])} ...; give --classes, '
                'or all'
            )
        self.labels = [known.index(name) for name in chosen]

    def __call__(
        self, images: list[np.ndarray]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes (n, 4) as fractions, scores (n,), best first, per image."""
        import torch
        from mmengine.dataset import pseudo_collate

        data = [self.pipeline(dict(img=i, img_id=0)) for i in images]
        with torch.no_grad():
            samples = self.model.test_step(pseudo_collate(data))
        found = []
        for sample, image in zip(samples, images, strict=True):
            instances = sample.pred_instances.cpu().numpy()
            height, width = image.shape[:2]
            boxes = instances.bboxes.astype(np.float64)
            boxes = np.clip(boxes / ([width, height] * 2), 0, 1)
            scores = instances.scores
            keep = (scores >= self.args.score_thr) & np.isfinite(boxes).all(1)
            keep &= (boxes[:, 2:] > boxes[:, :2]).all(1)
            keep &= np.isin(instances.labels, self.labels)
            best = np.argsort(-scores, kind='stable')
            best = best[keep[best]][: self.args.max_per_frame]
            found.append((boxes[best], scores[best]))
        return found


# -------------------------------------------------------------------- files
def table_of(
    name: str, found: list[tuple[np.ndarray, np.ndarray]]
) -> BoxTable:
    """The proposals of one video from boxes and scores of each frame."""
    boxes, score = map(np.concatenate, zip(*found, strict=True))
    frames = np.arange(len(found), dtype=np.int32)
    frame = np.repeat(frames, [len(scores) for _, scores in found])
    return BoxTable(
        videos=np.array([name]),
        video=np.zeros_like(frame),
        frame=frame,
        boxes=boxes.astype(np.float32),
        score=score.astype(np.float32),
        frames_video=np.zeros_like(frames),
        frames_frame=frames,
    )


def merge(tables: Sequence[BoxTable]) -> BoxTable:
    """One table from those of single videos."""

    def joined(field: str) -> np.ndarray:
        return np.concatenate([getattr(table, field) for table in tables])

    def owner(field: str) -> np.ndarray:
        lengths = [len(getattr(table, field)) for table in tables]
        return np.repeat(np.arange(len(tables), dtype=np.int32), lengths)

    same = ('videos', 'frame', 'boxes', 'score', 'frames_frame')
    return BoxTable(
        **{field: joined(field) for field in same},
        video=owner('frame'),
        frames_video=owner('frames_frame'),
    )


def require_same_settings(parts: Path, args: Any) -> None:
    """Check that finished videos were detected with the same settings."""
    keys = 'config', 'checkpoint', 'classes', 'score_thr', 'max_per_frame'
    settings = {key: str(getattr(args, key)) for key in keys}
    settings['parts'] = 'tables'  # earlier versions wrote others
    file = parts / 'settings.json'
    if file.is_file():
        before = json.loads(file.read_text(encoding='utf-8'))
        if before != settings:
            raise ToolError(
                f'{parts} holds proposals made with other settings '
                f'({before}): delete the folder, or choose another --out'
            )
    write_json(file, settings)


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    # fmt: off
    add('annotations', type=Path, help='..._tubes.json')
    add('config', type=Path, help='config of the detector')
    add('checkpoint', type=Path, help='its .pth file')
    add('--videos', type=Path, required=True, metavar='DIR',
        help='<class>/<video>.avi, or pictures <class>/<video>/00001.png')
    add('--out', type=Path, required=True, metavar='NPZ')
    add('--split', help='only this split (default: all)')
    add('--subset', help='only its train or test videos')
    add('--classes', nargs='+', default=['person'], metavar='NAME',
        help='of the detector, or all (default: person)')
    add('--score-thr', type=float, default=0.05, metavar='S',
        help='leave out boxes below this score (default: 0.05)')
    add('--max-per-frame', type=positive_int, default=20, metavar='N',
        help='keep the best N boxes of a frame (default: 20)')
    add('--batch', type=positive_int, default=8, metavar='N',
        help='frames at a time (default: 8)')
    add('--device', default='cuda:0', help='or cpu (default: cuda:0)')
    # fmt: on
    args = parser.parse_args(argv)
    if bool(args.split) != bool(args.subset):
        parser.error('--split and --subset go together')
    if args.out.suffix != '.npz':
        parser.error(f'--out must end in .npz, not {args.out.name}')
    require_file(args.config, 'config')
    require_file(args.checkpoint, 'checkpoint')
    require_dir(args.videos, 'folder of videos')
    annotations = load_tubes(args.annotations)
    videos = list(annotations.videos.values())
    if args.split:
        videos = annotations.subset(args.split, args.subset)
    parts = args.out.with_name(f'{args.out.stem}_parts')
    require_same_settings(parts, args)
    detector, failed = None, 0
    for video in progress(videos, 'videos'):
        part = parts / f'{video.name}.npz'
        if part.exists():  # from an earlier run
            continue
        detector = detector or Detector(args)
        frames, found = frames_of(args.videos, video), []
        try:
            while batch := list(islice(frames, args.batch)):
                found += detector(batch)
        except ToolError as error:
            failed += 1
            warn(str(error))
            continue
        table_of(video.name, found).save(part)
    # those of earlier runs with another subset, too
    made = [parts / f'{name}.npz' for name in annotations.videos]
    made = [path for path in made if path.exists()]
    if not made:
        raise ToolError(
            f'none of the {len(videos)} videos in {args.videos} could be '
            'read: check the folder'
        )
    result = merge([BoxTable.load(path, 'proposals') for path in made])
    result.save(args.out)
    print(
        f'{args.out}: {len(result)} boxes in {len(result.frames_frame)} '
        f'frames of {len(made)} videos, {failed} videos failed'
    )
    return EXIT_INCOMPLETE if failed else EXIT_OK
