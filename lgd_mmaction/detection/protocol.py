"""All measures of a table of detections, under one protocol."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lgd_mmaction.detection.annotations import TubeAnnotations
from lgd_mmaction.detection.average_precision import KINDS
from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.detection.detection_set import FAULTS, check_detections
from lgd_mmaction.detection.frame_map import frame_ap
from lgd_mmaction.detection.linking import Linking
from lgd_mmaction.detection.tubes import Trimming
from lgd_mmaction.detection.video_map import video_ap
from lgd_mmaction.errors import ConfigError, DataError

RANGE = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))


@dataclass
class TubeProtocol:
    """How detections are measured; the defaults are for J-HMDB.

    Attributes:
        frame_thresholds: Overlaps of frame-mAP.
        video_thresholds: Overlaps of video-mAP; beside them stands the mean
            over 0.5, 0.55 ... 0.95.
        nms_iou: Class-wise suppression within a frame, before every
            measure; None for none. The default leaves it to the detector:
            a third of the pairs of actors of UCF101-24 overlap more than
            ACT's 0.3, and suppression would hide perfect detections.
        linking: How boxes become tubes; its own nms_iou, if given, wins.
        trimming: How tubes are cut in time; None for not at all.
        ap: 'area' (ACT) or 'voc', see average_precision.
    """

    frame_thresholds: Sequence[float] = (0.5,)
    video_thresholds: Sequence[float] = (0.2, 0.5, 0.75)
    nms_iou: float | None = None
    linking: Linking = field(default_factory=Linking)
    trimming: Trimming | None = None
    ap: str = 'area'

    def __post_init__(self) -> None:
        for name in ('frame_thresholds', 'video_thresholds'):
            values = getattr(self, name)
            if isinstance(values, (int, float)):
                values = (values,)
            if not all(0 < value <= 1 for value in values):
                raise ConfigError(
                    f'{name}={values} must be overlaps in (0, 1]'
                )
            setattr(self, name, tuple(map(float, values)))
        if self.nms_iou is not None and not 0 < self.nms_iou <= 1:
            raise ConfigError(
                f'nms_iou={self.nms_iou} is not in (0, 1]; give None for '
                'no suppression'
            )
        if self.ap not in KINDS:
            raise ConfigError(
                f'ap={self.ap!r} must be one of {", ".join(map(repr, KINDS))}'
            )
        if self.linking.nms_iou is None:
            self.linking = replace(self.linking, nms_iou=self.nms_iou)

    @classmethod
    def from_dicts(
        cls,
        linking: Mapping | None = None,
        trimming: Mapping | None = None,
        **options,
    ) -> 'TubeProtocol':
        """As the constructor, settings as dicts; ConfigError if unknown."""
        try:
            return cls(
                linking=Linking(**(linking or {})),
                trimming=None if trimming is None else Trimming(**trimming),
                **options,
            )
        except TypeError as error:
            raise ConfigError(
                f'the protocol of the tube metric is wrong: {error}'
            ) from None


@dataclass(frozen=True)
class TubeReport:
    """What was measured.

    Attributes:
        means: Mean average precision by name, `frame_mAP@0.5` ...; the
            mean is over the classes that the subset has.
        per_class: For each of those names, (K,) values, NaN where a class
            is not in the subset.
        classes: The K class names.
        truth_boxes, truth_tubes: (K,) what is annotated of each class.
        counts: What was there, and what was not evaluated as it came.
    """

    means: dict[str, float]
    per_class: dict[str, np.ndarray]
    classes: Sequence[str]
    truth_boxes: np.ndarray
    truth_tubes: np.ndarray
    counts: dict[str, int]

    def metrics(self) -> dict[str, float]:
        """The means and the counts that should be zero, for a log."""
        faults = {name: self.counts[name] for name in FAULTS}
        faults['dropped_boxes'] = faults.pop('empty_boxes')
        return self.means | faults

    def as_json(self) -> dict:
        """Everything, in plain types; None for NaN."""
        per_class, truth = {}, {}
        for k, name in enumerate(self.classes):
            per_class[name] = {
                key: None if np.isnan(values[k]) else float(values[k])
                for key, values in self.per_class.items()
            }
            truth[name] = {
                'boxes': int(self.truth_boxes[k]),
                'tubes': int(self.truth_tubes[k]),
            }
        return {
            'means': self.means,
            'per_class': per_class,
            'truth': truth,
            'counts': self.counts,
        }

    def table(self) -> str:
        """Per cent, one line a class, the mean last; then the counts."""
        width = max(map(len, ('mean', *self.classes)))
        wide = max(map(len, self.means)) + 2

        def line(name: str, tubes: object, cells: Iterable[str]) -> str:
            cells = ''.join(f'{cell:>{wide}}' for cell in cells)
            return f'{name:{width}}  {tubes:>6}{cells}'

        def per_cent(value: float) -> str:
            return '-' if np.isnan(value) else f'{100 * value:.2f}'

        lines = [line('', 'tubes', self.means)]
        for k, name in enumerate(self.classes):
            cells = (per_cent(value[k]) for value in self.per_class.values())
            lines.append(line(name, self.truth_tubes[k], cells))
        cells = map(per_cent, self.means.values())
        lines.append(line('mean', self.truth_tubes.sum(), cells))
        total = '{boxes} boxes in {frames} frames of {videos} videos'
        lines.append(total.format_map(self.counts))
        if absent := int((self.truth_tubes == 0).sum()):
            lines.append(
                f'{absent} classes have no tube in this subset and no part '
                'in the mean'
            )
        return '\n'.join(lines)

    def warnings(self) -> list[str]:
        """One sentence for everything that should not be there."""
        counted = ((self.counts[key], text) for key, text in FAULTS.items())
        return [f'{count} {text}' for count, text in counted if count]


def evaluate_tubes(
    table: BoxTable,
    annotations: TubeAnnotations,
    split: int | str,
    subset: str = 'test',
    protocol: TubeProtocol | None = None,
) -> TubeReport:
    """Measure a table of detections.

    Raises:
        DataError: Nothing is annotated, or see check_detections.
    """
    p = protocol or TubeProtocol()
    detections = check_detections(table, annotations, split, subset)
    truth_boxes, truth_tubes = detections.count_truths()
    if not truth_tubes.any():
        raise DataError(
            f'{annotations.dataset} {split}/{subset} has no tube; there is '
            'nothing to find'
        )
    frame = frame_ap(detections, p.frame_thresholds, p.nms_iou, p.ap)
    per_class = {
        f'frame_mAP@{threshold:g}': values
        for threshold, values in zip(p.frame_thresholds, frame, strict=True)
    }
    wanted = [*dict.fromkeys(p.video_thresholds + RANGE)]  # each once
    values = video_ap(detections, wanted, p.linking, p.trimming, p.ap)
    video = dict(zip(wanted, values, strict=True))
    for threshold in p.video_thresholds:
        per_class[f'video_mAP@{threshold:g}'] = video[threshold]
    per_class['video_mAP@0.5:0.95'] = np.mean([video[t] for t in RANGE], 0)
    return TubeReport(
        {name: float(np.nanmean(v)) for name, v in per_class.items()},
        per_class,
        detections.classes,
        truth_boxes,
        truth_tubes,
        detections.counts,
    )
