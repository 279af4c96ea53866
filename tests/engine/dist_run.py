"""Several processes of one training, forked: cheap enough for tests.

torchrun starts every process anew, and each imports torch and mmaction2. Here
the ranks are forks of the process that has them: the same environment
variables, the same gloo groups, the same Runner, in a tenth of the time.
"""

import os
import signal
import socket
import subprocess
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import DATASETS, HOOKS
from mmengine.config import Config
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner import runner as runner_module

from lgd_mmaction.datasets.robust_video_dataset import BAD_KEY
from tests.engine import tiny_run
from tests.warm import PYTHON

# a rank of a tiny run that needs longer hangs
LIMIT = 180


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


@dataclass
class Ended:
    """How a rank ended.

    Args:
        exitcode: As of ``multiprocessing``: -9 after SIGKILL.
        at: When, in seconds of ``time.monotonic()``.
        result: What its function returned, or None.
        error: The traceback of its exception, or ''.
    """

    exitcode: int
    at: float
    result: Any = None
    error: str = ''


class World:
    """Forks one process a rank and waits for all of them.

    Args:
        size: Number of ranks.
        work: Called in every rank, with args.
    """

    def __init__(self, size: int, work: Callable, *args: object) -> None:
        context = get_context('fork')
        port = free_port()
        self.pipes, self.ranks = [], []
        for rank in range(size):
            here, there = context.Pipe(duplex=False)
            process = context.Process(
                target=_rank_main, args=(rank, size, port, there, work, args)
            )
            process.start()
            there.close()
            self.pipes.append(here)
            self.ranks.append(process)

    def kill(self) -> None:
        """End all ranks, also those that are stopped."""
        for process in self.ranks:
            process.kill()
            process.join()

    def send(self, rank: int, name: str) -> bool:
        """Send a signal; False if the rank has ended already."""
        process = self.ranks[rank]
        if process.exitcode is not None:
            return False
        os.kill(process.pid, getattr(signal, name))
        return True

    def wait(self, limit: float = LIMIT) -> list[Ended]:
        """How the ranks ended; those that outlast the limit are killed."""
        end = time.monotonic() + limit
        ended: dict[int, Ended] = {}
        while len(ended) < len(self.ranks) and time.monotonic() < end:
            for i, (process, pipe) in enumerate(
                zip(self.ranks, self.pipes, strict=True)
            ):
                if i in ended:
                    continue
                # before it is joined: a full pipe would hold it up
                said = None
                if pipe.poll(0.01):
                    try:
                        said = pipe.recv()
                    except EOFError:
                        process.join(1)
                if said is not None:
                    process.join(max(0, end - time.monotonic()))
                if process.exitcode is not None:
                    if said is None:
                        said = (None, '')
                    ended[i] = Ended(process.exitcode, time.monotonic(), *said)
        late = [r for i, r in enumerate(self.ranks) if i not in ended]
        for process in late:
            process.kill()
            process.join()
        assert not late, f'{len(late)} ranks still ran after {limit} s'
        return [ended[i] for i in range(len(self.ranks))]

    def results(self, limit: float = LIMIT) -> list[Any]:
        """What the ranks returned, all of which must have ended well."""
        ended = self.wait(limit)
        for rank, end in enumerate(ended):
            assert end.exitcode == 0, f'rank {rank}: {end.error or end}'
        return [end.result for end in ended]


def _rank_main(
    rank: int, size: int, port: int, pipe: Any, work: Callable, args: tuple
) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(size),
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
    )
    # asks compilers and git for their versions, which takes a second
    runner_module.collect_env = dict
    try:
        pipe.send((work(*args), ''))
    except BaseException:
        pipe.send((None, traceback.format_exc()))
        # no clean-up: it may wait for ranks that are gone
        os._exit(1)


def launch(
    config: Path,
    processes: int,
    *options: str,
    node: tuple[int, int, int] = (0, 1, 0),
    restarts: int = 0,
    python: str = PYTHON,
) -> subprocess.Popen:
    """Start tools/dist_train.sh: one agent of torchrun, or of one node.

    Args:
        config: A config that ``distributed_config`` made, in a file.
        processes: Ranks of this node.
        options: Of tools/train.py.
        node: Its number, how many there are, and their common port; 0 finds
            a port.
        restarts: How often torchrun may start the ranks again.
        python: What runs torchrun and the ranks.
    """
    here = Path(__file__).resolve().parent
    number, nodes, port = node
    paths = [str(here), *filter(None, [os.environ.get('PYTHONPATH')])]
    return subprocess.Popen(
        [
            'bash', str(here.parents[1] / 'tools' / 'dist_train.sh'),
            str(config), str(processes), *options,
        ],
        env={
            **os.environ,
            'PYTHON': python,
            'PYTHONPATH': os.pathsep.join(paths),
            'NNODES': str(nodes),
            'NODE_RANK': str(number),
            'PORT': str(port or free_port()),
            'OMP_NUM_THREADS': '1',
            'MAX_RESTARTS': str(restarts),
        },
        cwd=config.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def train(
    cfg: Config, resume: bool = False, model_wrapper: dict | None = None
) -> list[dict]:
    """A rank of a training; returns what StepHook recorded."""
    cfg = Config(cfg.to_dict())
    if 'RANK' in os.environ:
        cfg.launcher = 'pytorch'
    if model_wrapper is not None:
        cfg.model_wrapper_cfg = model_wrapper
    runner = tiny_run.train(cfg, resume)
    (hook,) = [h for h in runner.hooks if isinstance(h, StepHook)]
    return hook.steps


def distributed_config(
    work_dir: Path, batch_size: int, length: int = 8, **kwargs: Any
) -> Config:
    """Two epochs, one in each stage, that any number of processes repeats.

    The clips come in their order, so that a step sees the same ones however
    many processes share them; batch norm uses its running statistics.
    """
    hooks = (dict(type='StepHook'), *kwargs.pop('hooks', ()))
    kwargs = (
        dict(switch_epoch=1, max_epochs=2, shuffle=False, norm_eval=True)
        | kwargs
    )
    cfg = tiny_run.tiny_config(work_dir, hooks=hooks, length=length, **kwargs)
    cfg.custom_imports.imports.append('dist_run')
    loader = cfg.train_dataloader
    loader.dataset.type = 'NumberedVideos'
    loader.batch_size = batch_size
    return cfg


@DATASETS.register_module(force=True)
class NumberedVideos(tiny_run.TinyVideos):
    """TinyVideos that say which clip they are.

    Args:
        bad: Clips that are marked as unreadable.
    """

    def __init__(self, bad: tuple[int, ...] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bad = bad

    def __getitem__(self, index: int) -> dict:
        item = super().__getitem__(index)
        item['data_samples'].set_metainfo(dict(number=index))
        if index in self.bad:
            reason = {BAD_KEY: f'clip {index}'}
            item['data_samples'].set_metainfo(reason)
        return item


@HOOKS.register_module(force=True)
class FaultHook(Hook):
    """Sends a signal to its own process before an iteration of training.

    Only in one attempt of torchrun: the job that it started again lives on.

    Args:
        rank: Whose process.
        at_iter: Before which iteration, counted from 0.
        signal: Its name: ``'SIGKILL'``, or ``'SIGSTOP'`` for a rank that
            hangs.
        attempt: How often torchrun has started the ranks again.
    """

    def __init__(
        self,
        rank: int,
        at_iter: int,
        signal: str = 'SIGKILL',
        attempt: int = 0,
    ) -> None:
        self.rank, self.at_iter, self.signal = rank, at_iter, signal
        self.attempt = attempt

    def before_train_iter(self, runner: Runner, **kwargs: object) -> None:
        attempt = int(os.environ.get('TORCHELASTIC_RESTART_COUNT', 0))
        here = (runner.rank, runner.iter, attempt)
        if here == (self.rank, self.at_iter, self.attempt):
            path = Path(runner.work_dir) / 'fault.txt'
            path.write_text(f'{time.monotonic()}')
            os.kill(os.getpid(), getattr(signal, self.signal))


@HOOKS.register_module(force=True)
class StepHook(Hook):
    """Records every step: stage, clips, loss of this rank and of all."""

    def __init__(self) -> None:
        self.steps: list[dict] = []

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        model = getattr(runner.model, 'module', runner.model)
        loss = torch.as_tensor(outputs['loss']).detach().double()
        of_all = loss.clone()
        all_reduce(of_all, 'mean')
        self.steps.append(
            dict(
                epoch=runner.epoch,
                stage=model.cls_head.active_stage,
                clips=[s.number for s in data_batch['data_samples']],
                loss=loss.item(),
                loss_of_all=of_all.item(),
            )
        )


def scoring_config(
    work_dir: Path, batch_size: int, length: int, collect: str = 'cpu'
) -> Config:
    """Tests an untrained network on so many clips, and dumps its scores."""
    cfg = distributed_config(work_dir, batch_size)
    cfg.test_dataloader = dict(
        batch_size=batch_size,
        num_workers=0,
        dataset=dict(type='NumberedVideos', length=length),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    cfg.test_evaluator = [
        dict(type='AccMetric', collect_device=collect),
        dict(
            type='DumpResults',
            out_file_path=str(work_dir / 'scores.pkl'),
            collect_device=collect,
        ),
    ]
    cfg.test_cfg = dict()
    cfg.model.backbone.norm_eval = False
    return cfg


def score(cfg: Config) -> dict | None:
    """A rank of a test; rank 0 returns the metrics."""
    cfg = Config(cfg.to_dict())
    if 'RANK' in os.environ:
        cfg.launcher = 'pytorch'
    os.chdir(cfg.work_dir)  # where mmengine puts the parts of the scores
    cfg.experiment_name = f'score_{os.getpid()}'
    return Runner.from_cfg(cfg).test()
