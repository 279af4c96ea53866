"""Detection of actions: annotations, boxes, linking, measures.

The way of a detection: the head's result of each frame
(``engine.tube_metric.FrameDetections``) -> ``BoxTable`` (all frames, as in
the file) -> ``DetectionSet`` (checked, in pixels, beside the truth) ->
``TubeSet`` (linked and trimmed) -> average precision.
"""

from lgd_mmaction.detection.protocol import (
    TubeProtocol,
    TubeReport,
    evaluate_tubes,
)

__all__ = ['TubeProtocol', 'TubeReport', 'evaluate_tubes']
