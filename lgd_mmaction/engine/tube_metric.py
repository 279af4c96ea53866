"""TubeMetric: frame-mAP and video-mAP in the stock val and test loops."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from lgd_mmaction.datasets.robust_video_dataset import BAD_KEY
from lgd_mmaction.detection.annotations import load_tubes
from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.detection.protocol import TubeProtocol, evaluate_tubes
from lgd_mmaction.engine.accuracy import KnowsBadVideos
from lgd_mmaction.errors import DataError


@dataclass(frozen=True)  # mmengine would make a list of a tuple
class FrameDetections:
    """What the head says about one frame."""

    video: str  # name in the annotation file
    frame: int  # from 0
    boxes: np.ndarray  # (n, 4) float32, fractions of width and height
    scores: np.ndarray  # (n, K) float32
    broken: str | None  # why the video cannot be read


@METRICS.register_module()
class TubeMetric(KnowsBadVideos, BaseMetric):
    """Frame-mAP and video-mAP of boxes in single frames.

    Collects what a detector says about every tested frame, from all ranks,
    links the boxes into tubes and measures both against an annotation file
    (lgd_mmaction.detection.annotations). Gives `tube/frame_mAP@0.5`,
    `tube/video_mAP@0.2`, `tube/video_mAP@0.5:0.95` ... in [0, 1], and how
    much was not evaluated as it came: `tube/missing_frames`,
    `videos_without_boxes`, `dropped_boxes`, `clipped_boxes`.

    Each data sample has `pred_instances` with `bboxes` (n, 4), fractions of
    width and height, and `scores` (n, K), and `video_id` (name in the
    annotation file) and `timestamp` (frame, from 0). With
    `proposal_scores` (n,) the class scores are multiplied by them.

    Args:
        ann_file: Annotation file of tubes.
        split: Its split.
        subset: 'test' or 'train'.
        frame_thresholds, video_thresholds, nms_iou: See TubeProtocol;
            ``tools/analysis/evaluate_tubes.py`` has all of its settings.
        linking: Settings of the linking, see Linking.
        trimming: Settings of the temporal trimming, see Trimming; None for
            no trimming (J-HMDB), `dict()` for the defaults (UCF101-24).
        bad_videos: 'error' or 'wrong' (nothing was detected in them, and
            `tube/bad_videos` counts them), see KnowsBadVideos.
        out_file: Also write the detections here (.npz, a BoxTable), before
            anything is checked.
        **kwargs: Those of BaseMetric.

    Raises:
        ConfigError: A setting is wrong.
        DataError: The annotation file or the detections are wrong.
    """

    default_prefix = 'tube'

    def __init__(
        self,
        ann_file: str,
        split: int | str,
        subset: str = 'test',
        frame_thresholds: Sequence[float] = (0.5,),
        video_thresholds: Sequence[float] = (0.2, 0.5, 0.75),
        nms_iou: float | None = None,
        linking: Mapping | None = None,
        trimming: Mapping | None = None,
        out_file: str | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.protocol = TubeProtocol.from_dicts(
            linking,
            trimming,
            frame_thresholds=frame_thresholds,
            video_thresholds=video_thresholds,
            nms_iou=nms_iou,
        )
        self.split, self.subset = split, subset
        self.out_file = out_file
        self.annotations = load_tubes(ann_file)
        self.annotations.subset(split, subset)  # raises if there is none

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        self.results += map(self._read, data_samples)

    def _read(self, sample: dict) -> FrameDetections:
        for key in ('video_id', 'timestamp', 'pred_instances'):
            if key not in sample:
                raise DataError(
                    f'TubeMetric needs {key} in every data sample; pack '
                    'video_id and timestamp with PackActionInputs(meta_keys='
                    "('video_id', 'timestamp', ...))"
                )
        name, frame = str(sample['video_id']), int(sample['timestamp'])
        found = sample['pred_instances']
        boxes = _array(found['bboxes'])
        scores = _array(found['scores'])
        classes = len(self.annotations.classes)
        expected = (len(boxes), 4), (len(boxes), classes)
        if (boxes.shape, scores.shape) != expected:
            raise DataError(
                f'frame {frame} of {name} has bboxes of shape '
                f'{tuple(boxes.shape)} and scores of shape '
                f'{tuple(scores.shape)}, not (n, 4) and (n, {classes}); set '
                f'num_classes={classes} and background_class=False of the '
                'bbox head'
            )
        if sample.get('proposal_scores') is not None:
            weights = _array(sample['proposal_scores']).reshape(-1)
            if len(weights) != len(scores):
                raise DataError(
                    f'frame {frame} of {name} has {len(scores)} detections '
                    f'for {len(weights)} proposal scores; they must be of '
                    'the same boxes'
                )
            scores = scores * weights[:, None]
        return FrameDetections(name, frame, boxes, scores, sample.get(BAD_KEY))

    def measure(self, results: list[FrameDetections]) -> dict[str, float]:
        bad = {r.video: r.broken for r in results if r.broken}
        for i, r in enumerate(results):
            if r.video in bad:  # whatever frames of it could be read
                results[i] = replace(r, boxes=r.boxes[:0], scores=r.scores[:0])
        table = box_table(results, len(self.annotations.classes))
        remedy = '--cfg-options test_evaluator.bad_videos=wrong'
        if self.out_file:
            table.save(self.out_file)
            print_log(f'detections: {self.out_file}', logger='current')
            # without another test
            remedy = f'tools/analysis/evaluate_tubes.py {self.out_file}'
        count = self.settle(list(bad.values()), remedy)
        report = evaluate_tubes(
            table, self.annotations, self.split, self.subset, self.protocol
        )
        print_log(f'per cent:\n{report.table()}', logger='current')
        for text in report.warnings():
            print_log(text, logger='current', level=logging.WARNING)
        return report.metrics() | count


def box_table(
    results: Sequence[FrameDetections], num_classes: int
) -> BoxTable:
    """One table of many frames, in the order of video names and frames."""
    results = sorted(results, key=lambda r: (r.video, r.frame))
    names, video = np.unique(
        np.array([r.video for r in results], np.str_), return_inverse=True
    )
    video = video.astype(np.int32)
    frame = np.array([r.frame for r in results], np.int32)
    counts = [len(r.boxes) for r in results]
    none = np.empty((0, 4 + num_classes), np.float32)
    return BoxTable(
        videos=names,
        video=np.repeat(video, counts),
        frame=np.repeat(frame, counts),
        boxes=np.concatenate([none[:, :4], *(r.boxes for r in results)]),
        scores=np.concatenate([none[:, 4:], *(r.scores for r in results)]),
        frames_video=video,
        frames_frame=frame,
    )


def _array(value: Any) -> np.ndarray:
    """float32 array of a tensor (any device or float type) or an array."""
    if hasattr(value, 'detach'):
        value = value.detach().float().cpu().numpy()
    return np.asarray(value, np.float32)
