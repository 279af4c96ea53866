"""Score files as the stock dump writes them."""

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch


@pytest.fixture
def write_dump(tmp_path: Path) -> Callable[..., Path]:
    """Writes what `tools/test.py --dump` writes; returns the path."""

    def write(
        file: str,
        values: np.ndarray,
        labels: Sequence[int],
        names: Sequence[str] | None = None,
        key: str = 'filename',
        order: Sequence[int] | None = None,
    ) -> Path:
        entries = []
        for i in order if order is not None else range(len(labels)):
            entry = {
                'pred_score': torch.tensor(values[i]).float(),
                'pred_label': torch.tensor([int(np.argmax(values[i]))]),
                'gt_label': torch.tensor([int(labels[i])]),
                'img_shape': (112, 112),
                'num_classes': len(values[i]),
            }
            if names is not None:
                entry[key] = names[i]
            entries.append(entry)
        path = tmp_path / file
        path.write_bytes(pickle.dumps(entries))
        return path

    return write


@pytest.fixture
def make_scores() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Random probabilities that lean to the right class, and labels."""

    def make(
        videos: int, classes: int, seed: int, lean: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        labels = np.random.default_rng(99).integers(0, classes, videos)
        logits = np.random.default_rng(seed).normal(size=(videos, classes))
        logits[np.arange(videos), labels] += lean
        values = np.exp(logits)
        return values / values.sum(axis=1, keepdims=True), labels

    return make
