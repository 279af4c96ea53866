"""Detection of actions: annotations, boxes, linking, metrics.

Importing this registers ``TubeMetric``.
"""

from lgd_mmaction.detection.tube_evaluation import (
    TubeProtocol,
    TubeReport,
    evaluate_tubes,
)
from lgd_mmaction.detection.tube_metric import TubeMetric

__all__ = ['TubeMetric', 'TubeProtocol', 'TubeReport', 'evaluate_tubes']
