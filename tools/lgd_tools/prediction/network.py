"""A trained network and the pipeline of its test."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.launch.config_errors import naming_slips, read_config
from lgd_tools.cli import ToolError, class_names, require_file
from lgd_tools.prediction.recognizer import load_recognizer


class Network:
    """A recognizer as tools/test.py would test it.

    Args:
        config: Its config.
        checkpoint: Its weights.
        device: Of torch; None: a GPU if there is one.
        clips: Clips of a video that are averaged; None: as the config says.
        labels: Label map; None: label_map.txt beside the config's test list.

    Attributes:
        cfg: The config.
        steps: Transforms of the test pipeline, the first opens a video.
        classes: Names of the K classes.

    Raises:
        ConfigError: The config cannot be used, or reads no videos.
        CheckpointError: The checkpoint is unreadable or of another network.
        ToolError: A file is missing, or the label map has other classes.
    """

    def __init__(
        self,
        config: str | Path,
        checkpoint: str | Path,
        device: str | None = None,
        clips: int | None = None,
        labels: str | Path | None = None,
    ) -> None:
        cfg = read_config(str(require_file(config, 'config')))
        init_default_scope('mmaction')
        dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
        pipeline = [dict(step) for step in dataset.get('pipeline') or ()]
        if not pipeline or pipeline[0]['type'] != 'VideoOpen':
            raise ConfigError(
                f'the test pipeline of {config} does not begin with '
                'VideoOpen, so it reads no video files: take the config of a '
                'network on RGB videos'
            )
        for step in pipeline:
            if clips and 'num_clips' in step:
                step['num_clips'] = clips
        with naming_slips(config):
            self.steps = [TRANSFORMS.build(step) for step in pipeline]
            self.model, self.cfg = load_recognizer(
                str(config), str(checkpoint)
            )
        if device is None:
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        try:
            self.model.to(device)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise ToolError(f'--device {device}: {reason}') from None
        # several views at a time are for one video a batch
        self.one_by_one = 'max_testing_views' in (self.model.test_cfg or {})
        if labels is None:
            folder = Path(dataset.get('data_root') or '')
            beside = (folder / dataset.get('ann_file', '')).parent
            labels = beside / 'label_map.txt'
            labels = labels if labels.is_file() else None
        self.classes = class_names(labels, self.model.cls_head.num_classes)

    @torch.no_grad()
    def scores(self, samples: Sequence[dict]) -> np.ndarray:
        """(V, K) scores of V packed videos; those of one size at once."""
        groups: dict[object, list[int]] = {}
        for i, sample in enumerate(samples):
            key = i if self.one_by_one else tuple(sample['inputs'].shape)
            groups.setdefault(key, []).append(i)
        out = np.empty((len(samples), len(self.classes)), np.float32)
        for indices in groups.values():
            batch = pseudo_collate([samples[i] for i in indices])
            for i, result in zip(
                indices, self.model.test_step(batch), strict=True
            ):
                out[i] = result.pred_score.float().cpu().numpy()
        return out
