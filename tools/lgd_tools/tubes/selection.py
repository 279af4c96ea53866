"""The predicted tubes, or boxes, of one video, from a file of detections."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lgd_mmaction.detection.annotations import TubeAnnotations, TubeVideo
from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.detection.detection_set import (
    DetectionSet,
    check_detections,
)
from lgd_mmaction.detection.linking import Linking, link_tubes
from lgd_mmaction.detection.tubes import Trimming, trim_tubes
from lgd_tools.cli import ToolError
from lgd_tools.tubes.pictures import DrawnTube


class Predictions:
    """A file of detections, from which single videos are drawn.

    Args:
        path: The file.
        classes: Class names; None: `class 0`, `class 1` ...

    Raises:
        ToolError: There is another number of classes.
        DataError: The file cannot be read.
    """

    def __init__(self, path: Path, classes: Sequence[str] | None) -> None:
        self.table = BoxTable.load(path, 'detections')
        count = self.table.scores.shape[1]
        self.classes = list(classes or (f'class {k}' for k in range(count)))
        if len(self.classes) != count:
            raise ToolError(
                f'{path} has scores of {count} classes, but there are '
                f'{len(self.classes)} class names: give the annotation file '
                'or the --classes that the network was trained with'
            )
        self.names = [str(name) for name in self.table.videos]

    def of(
        self,
        name: str,
        frames: int,
        top: int = 4,
        score_thr: float = 0.1,
        linked: bool = True,
        nms_iou: float | None = None,
        trim: bool = False,
    ) -> list[DrawnTube]:
        """What to draw on a video, the surest first.

        Args:
            name: Of the video; one without detections gives nothing.
            frames: How many it has.
            top: Tubes at most, or with linked=False boxes of a frame.
            score_thr: What scores less is left out: tubes by their mean.
            linked: Tubes, linked as video-mAP links them; else the boxes
                of each frame, each of its best class.
            nms_iou: Class-wise suppression before.
            trim: Cut the tubes in time, as for untrimmed videos.

        Raises:
            DataError: A box or a frame is wrong.
        """
        if name not in self.names:
            return []
        detections = self._select(name, frames)
        if not linked:
            return self._boxes(detections, top, score_thr)
        tubes = link_tubes(detections, 0, Linking(nms_iou=nms_iou))
        if trim:
            tubes = trim_tubes(tubes, Trimming())
        score = tubes.mean_scores()
        order = np.argsort(-score, kind='stable')
        drawn = []
        for i in order[score[order] >= score_thr][:top]:
            rows = slice(tubes.offset[i], tubes.offset[i + 1])
            boxes = tubes.boxes[rows]
            drawn.append(
                DrawnTube(
                    self.classes[tubes.label[i]],
                    int(tubes.start[i]) + np.arange(len(boxes)),
                    boxes,
                    float(score[i]),
                    tubes.scores[rows],
                )
            )
        return drawn

    def _select(self, name: str, frames: int) -> DetectionSet:
        """The detections of one video, boxes as fractions."""
        table, index = self.table, self.names.index(name)
        rows = table.video == index
        tested = None
        if table.frames_video is not None:
            tested = table.frames_frame[table.frames_video == index]
        own = BoxTable(
            np.array([name]),
            np.zeros(rows.sum(), np.int32),
            table.frame[rows],
            table.boxes[rows],
            scores=table.scores[rows],
            frames_video=None if tested is None else np.zeros_like(tested),
            frames_frame=tested,
        )
        # a frame of 1 x 1: overlaps do not depend on the unit
        truth = TubeAnnotations(
            'video',
            tuple(self.classes),
            {'1': {'test': [name]}},
            {name: TubeVideo(name, frames, 1, 1, ())},
        )
        return check_detections(own, truth, 1, invalid='drop')

    def _boxes(
        self, detections: DetectionSet, top: int, score_thr: float
    ) -> list[DrawnTube]:
        """One DrawnTube for each class and rank among a frame's boxes."""
        found: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for place, frame in enumerate(detections.frame):
            rows = np.arange(
                detections.offset[place], detections.offset[place + 1]
            )
            best = detections.scores[rows].max(1)
            rows = rows[np.argsort(-best, kind='stable')][:top]
            ranks: dict[int, int] = {}
            for row in rows:
                label = int(detections.scores[row].argmax())
                if detections.scores[row, label] < score_thr:
                    continue
                rank = ranks.get(label, 0)
                ranks[label] = rank + 1
                found.setdefault((label, rank), []).append((int(frame), row))
        drawn = []
        for (label, _), each in sorted(found.items()):
            frames, rows = (np.array(column) for column in zip(*each))  # noqa: B905
            scores = detections.scores[rows, label]
            drawn.append(
                DrawnTube(
                    self.classes[label], frames, detections.boxes[rows],
                    float(scores.mean()), scores,
                )
            )  # fmt: skip
        return drawn
