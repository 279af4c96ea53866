"""A screenful before the first step; everything in the log file."""

import logging
from importlib import metadata
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner
from torch.utils.flop_counter import FlopCounterMode

from lgd_mmaction.launch import console


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner's methods are put back afterwards."""
    for name in ('build_logger', 'register_hooks'):
        monkeypatch.setattr(Runner, name, getattr(Runner, name))
    console.shorten_console.__wrapped__()  # whoever did it before


def tiny(tmp_path: Path, **changes: object):
    from tests.engine import tiny_run

    cfg = tiny_run.tiny_config(tmp_path, max_epochs=2, switch_epoch=1)
    cfg.log_level = 'INFO'
    cfg.visualizer = dict(
        type='ActionVisualizer', vis_backends=[dict(type='LocalVisBackend')]
    )
    cfg.merge_from_dict(changes)
    return tiny_run.train(cfg)


def test_before_the_first_step(tmp_path, capsys, brief):
    runner = tiny(tmp_path)
    said = capsys.readouterr().out.splitlines()
    first = next(i for i, s in enumerate(said) if 'Epoch(train)' in s)
    assert 5 < first <= 60
    text = '\n'.join(said[:first])
    count = sum(p.numel() for p in runner.model.parameters())
    for part in (
        f'torch {metadata.version("torch")}',
        'model: Recognizer3D + LGDResNet3d-18 + KernelizedHead',
        f'{count / 1e6:.2f} M parameters\n',
        ' GMAC for a clip of 3x2x32x32',
        'data: 8 training samples, 2 steps an epoch, 4 samples a step',
        'schedule: 2 epochs, 4 steps: stage 1, loss (5), for 1, then stage '
        '2, loss (6), from epoch 2; SGD, learning rate 0.02',
    ):
        assert part in text
    [log] = tmp_path.glob('*/*.log')
    assert f'everything is in {log}' in text
    whole = log.read_text()
    assert 'Config:' in whole and 'sketch_dim=64' in whole
    assert 'Hooks will be executed' in whole
    assert 'sketch_dim=64' not in text
    assert len(whole.splitlines()) > 3 * first


@pytest.mark.slow
def test_counting_covers_the_head_and_changes_nothing():
    from tests.models.test_recognizer import recognizer

    model = recognizer()
    model.train()
    model.backbone.eval()
    state = {k: v.clone() for k, v in model.state_dict().items()}
    training = [m.training for m in model.modules()]
    numbers = torch.get_rng_state()
    one = console.count_gmac(model, (1, 3, 4, 32, 32))
    more = console.count_gmac(model, (3, 3, 4, 32, 32))
    assert more == pytest.approx(one)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(torch.zeros(1, 1, 3, 4, 32, 32), mode='tensor')
    backbone = counter.get_total_flops() / 2e9
    # two classifiers of stage 1 beyond the backbone
    head = model.cls_head
    weights = head.fc_local.weight.numel() + head.fc_global.weight.numel()
    assert one - backbone == pytest.approx(weights / 1e9, abs=1e-12)
    model.train()
    model.backbone.eval()
    assert training == [m.training for m in model.modules()]
    assert torch.equal(torch.get_rng_state(), numbers)
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key])


def record(text: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord('a', level, '', 0, text, (), None)


def test_long_messages_are_one_line():
    inner = logging.Formatter('%(levelname)s - %(message)s')
    brief = console.BriefFormatter(inner)
    short, long = '\n'.join('abc'), '\n'.join(['Config:', *'123456789'])
    assert brief.format(record(short)) == f'INFO - {short}'
    assert brief.format(record(long)) == (
        'INFO - Config: ... 10 lines in the log file'
    )
    assert brief.format(record('\n-----\n' + long)) == (
        'INFO - Config: ... 11 lines in the log file'
    )
    # an error is never cut
    assert brief.format(record(long, logging.ERROR)) == f'ERROR - {long}'


def test_known_notices_are_silenced_by_name():
    known = '"HardDiskBackend" is the alias of "LocalBackend" and so on'
    assert not console.is_shown(record(known, logging.WARNING))
    assert console.is_shown(record('another warning', logging.WARNING))


@pytest.mark.slow
def test_tensorboard_by_one_line(tmp_path, brief):
    from tensorboard.backend.event_processing.event_accumulator import (
        EventAccumulator,
    )

    line = {'visualizer.vis_backends': [dict(type='TensorboardVisBackend')]}
    tiny(tmp_path, **line)
    [events] = tmp_path.rglob('events.out.tfevents.*')
    read = EventAccumulator(str(events.parent)).Reload()
    tags = set(read.Tags()['scalars'])
    # of both stages
    assert {'loss_local', 'loss_global', 'loss_cls', 'lr'} <= tags
    assert [e.step for e in read.Scalars('loss_local')][:2] == [1, 2]
    assert [e.step for e in read.Scalars('loss_cls')] == [3, 4]
