"""The runner's ``compile`` key, on configs with two stages."""

from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch._dynamo.utils import counters


@pytest.mark.slow
def test_compiled_training_ends_with_the_weights_of_eager(
    tiny: ModuleType, tmp_path: Path
) -> None:
    """Through the switch of the stages; traced, no C++ compiler needed."""
    ends = []
    for name, compiled in (('eager', False), ('compiled', True)):
        cfg = tiny.tiny_config(
            tmp_path / name, switch_epoch=1, max_epochs=2, length=4
        )
        counters.clear()
        if compiled:
            cfg.compile = dict(backend='aot_eager')
        tiny.train(cfg)
        assert bool(counters['frames']['ok']) == compiled
        ends.append(tiny.checkpoint(tmp_path / name, 2)['state_dict'])
    eager, traced = ends
    assert eager.keys() == traced.keys()
    for key, value in eager.items():
        torch.testing.assert_close(
            traced[key], value, rtol=1e-4, atol=1e-5, msg=key
        )
