"""A recognizer out of a config and a checkpoint, ready to be used."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch import nn

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.launch.config_errors import naming_slips, read_config
from lgd_mmaction.models.kernelized_head import KernelizedHead
from lgd_mmaction.models.weights import load_all, read_state_dict
from lgd_tools.cli import ToolError, class_names, require_file

REMEDY = 'give the config that it was trained with'


def load_recognizer(
    config: str, checkpoint: str, stage: int | None = None
) -> tuple[nn.Module, Config]:
    """A recognizer in evaluation mode, on the CPU, and its config.

    All weights must fit. ``stage`` is that of the checkpoint, unless given.
    """
    cfg = read_config(str(require_file(config, 'config')))
    if 'model' not in cfg:
        raise ToolError(f'{config} has no model: give the config of a run')
    state = read_state_dict(checkpoint)
    init_default_scope('mmaction')
    # the checkpoint brings all weights
    cfg.model.backbone.pretrained = None
    model = MODELS.build(cfg.model)
    load_all(model, state, Path(checkpoint).name, REMEDY)
    if stage is not None:
        if not isinstance(model.cls_head, KernelizedHead):
            raise ToolError(
                f'the head of {config} is a {type(model.cls_head).__name__}, '
                'which has no stages: a KernelizedHead is needed'
            )
        model.cls_head.set_stage(stage)
    return model.eval(), cfg


def classes_of(
    recognizer: nn.Module, cfg: Config, labels: str | Path | None
) -> list[str]:
    """Class names of a label map; None: label_map.txt by the test list."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    if labels is None and (ann := dataset.get('ann_file')):
        listed = Path(dataset.get('data_root') or '', ann)
        beside = listed.with_name('label_map.txt')
        labels = beside if beside.is_file() else None
    return class_names(labels, recognizer.cls_head.num_classes)


class Network:
    """A recognizer as tools/test.py would test it.

    Args:
        config: Its config.
        checkpoint: Its weights.
        device: Of torch; None: a GPU if there is one.
        clips: Clips of a video that are averaged; None: as the config says.
        labels: As of :func:`classes_of`.
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
            self.model, self.cfg = load_recognizer(
                str(config), str(checkpoint)
            )
            # the first opens a video
            self.steps = [TRANSFORMS.build(step) for step in pipeline]
        if device is None:
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        try:
            self.model.to(device)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise ToolError(f'--device {device}: {reason}') from None
        # several views at a time are for one video a batch
        self.one_by_one = 'max_testing_views' in (self.model.test_cfg or {})
        self.classes = classes_of(self.model, self.cfg, labels)

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
            results = self.model.test_step(batch)
            out[indices] = [
                r.pred_score.float().cpu().numpy() for r in results
            ]
        return out
