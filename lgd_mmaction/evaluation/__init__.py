"""Metrics; importing this registers them."""

from .robust_acc_metric import RobustAccMetric
from .tube_evaluation import TubeProtocol, TubeReport, evaluate_tubes
from .tube_metric import TubeMetric

__all__ = [
    'RobustAccMetric',
    'TubeMetric',
    'TubeProtocol',
    'TubeReport',
    'evaluate_tubes',
]
