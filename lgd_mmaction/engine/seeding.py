"""Seeds made from numbers: of a process, and of each sample."""

import random

import numpy as np
import torch
from torch.utils.data import Dataset

# first of the numbers of a seed, so that no two purposes share one
SAMPLE, ITERATION = 101, 102


def seed_everything(*entropy: int, devices: bool = True) -> None:
    """Seed random, numpy and torch from these numbers.

    Args:
        entropy: The numbers.
        devices: GPUs too, which is slow from a data worker.
    """
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    (torch if devices else torch.default_generator).manual_seed(seed)


def seed_samples(dataset: Dataset, entropy: tuple[int, ...]) -> None:
    """Seed all generators anew before each sample that a data set makes.

    Crops and flips of a sample then depend on these numbers and on its index
    only: not on the number of workers or processes, nor on what was read
    before. The object gets a subclass of its class, so that it stays what it
    is for everybody else.

    Args:
        dataset: A data set with indices, as the data loader holds it.
        entropy: What the seeds are made from, besides the index.
    """
    if not hasattr(dataset, '_lgd_entropy'):
        dataset.__class__ = _seeded_class(type(dataset))
    dataset._lgd_entropy = entropy


def _seeded_class(cls: type) -> type:
    def getitem(self: Dataset, index: int) -> object:
        numbers = (SAMPLE, *self._lgd_entropy, int(index))
        seed_everything(*numbers, devices=False)
        return cls.__getitem__(self, index)

    def getitems(self: Dataset, indices: list[int]) -> list:
        return [self[index] for index in indices]

    methods = {'__getitem__': getitem}
    if hasattr(cls, '__getitems__'):  # torch prefers it
        methods['__getitems__'] = getitems
    return type(cls.__name__, (cls,), methods)
