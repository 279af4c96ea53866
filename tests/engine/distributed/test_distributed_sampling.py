"""Every clip is trained in every epoch and counts once in every test."""

import pickle
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler, sampler
from mmengine.registry import DATA_SAMPLERS


def shares(
    monkeypatch: pytest.MonkeyPatch, size: int, n: int, **kwargs: object
) -> list[list[int]]:
    """The indices that each rank reads in an epoch."""
    found = []
    for rank in range(size):
        monkeypatch.setattr(sampler, 'get_dist_info', lambda r=rank: (r, size))
        found.append(list(DefaultSampler(range(n), seed=3, **kwargs)))
    return found


@pytest.mark.parametrize('shuffle', [False, True])
@pytest.mark.parametrize('size', [1, 2, 3, 4, 8])
@pytest.mark.parametrize('n', [1, 5, 24, 25])
def test_shares_of_an_epoch(
    monkeypatch: pytest.MonkeyPatch, n: int, size: int, shuffle: bool
) -> None:
    ranks = shares(monkeypatch, size, n, shuffle=shuffle)
    seen = Counter(sum(ranks, []))
    assert set(seen) == set(range(n))
    # all ranks take as many steps, else DDP waits for ever: so some clips
    # come twice where the ranks do not divide the set, as few as can be
    assert len({len(r) for r in ranks}) == 1
    assert sum(seen.values()) - n == -n % size < size
    # and round_up=False is exactly once, with ranks of unequal length
    ranks = shares(monkeypatch, size, n, shuffle=shuffle, round_up=False)
    assert sorted(sum(ranks, [])) == list(range(n))
    assert len({len(r) for r in ranks}) == (1 if n % size == 0 else 2)


@pytest.mark.parametrize('name', ['lgd3d_k600', 'lgd2d_flow_ucf101_split1'])
def test_samplers_of_the_configs(repo_root: Path, name: str) -> None:
    cfg = Config.fromfile(repo_root / 'configs' / f'{name}.py')
    for part in ('train', 'val', 'test'):
        loader = cfg[f'{part}_dataloader']
        found = DATA_SAMPLERS.build(
            loader.sampler, default_args=dict(dataset=range(9), seed=0)
        )
        assert type(found) is DefaultSampler
        assert found.shuffle == (part == 'train') and found.round_up
        assert not loader.get('drop_last')


@pytest.mark.slow
def test_training_covers_the_set(dist_run: ModuleType, tmp_path: Path) -> None:
    # 7 clips on 2 ranks: one comes twice
    cfg = dist_run.distributed_config(
        tmp_path, 2, length=7, max_epochs=3, shuffle=True
    )
    ranks = dist_run.World(2, dist_run.train, cfg).results()
    repeated = []
    for epoch in range(3):
        steps = [s for r in ranks for s in r if s['epoch'] == epoch]
        seen = Counter(sum((s['clips'] for s in steps), []))
        assert set(seen) == set(range(7)) and sum(seen.values()) == 8
        repeated.append(seen.most_common(1)[0][0])
    # another one in another epoch
    assert len(set(repeated)) > 1


@pytest.mark.slow
@pytest.mark.parametrize(
    'length, batch_size, collect',
    [(7, 1, 'cpu'), (4, 2, 'cpu'), (7, 2, 'gpu')],
)
def test_the_metric_counts_each_video_once(
    dist_run: ModuleType,
    tmp_path: Path,
    length: int,
    batch_size: int,
    collect: str,
) -> None:
    # 3 ranks do not divide the set: the first clips are read twice
    scores, found = [], []
    for size in (1, 3):
        folder = tmp_path / str(size)
        folder.mkdir()
        cfg = dist_run.scoring_config(folder, batch_size, length, collect)
        found.append(dist_run.World(size, dist_run.score, cfg).results()[0])
        with open(folder / 'scores.pkl', 'rb') as f:
            scores.append(pickle.load(f))
    assert [s['number'] for s in scores[0]] == list(range(length))
    assert [s['number'] for s in scores[1]] == list(range(length))
    for a, b in zip(*scores, strict=True):
        torch.testing.assert_close(a['pred_score'], b['pred_score'])
    # the mean over the videos, none of them twice
    right = [int(s['pred_label']) == int(s['gt_label']) for s in scores[0]]
    assert found[0] == found[1]
    assert found[1]['acc/top1'] == pytest.approx(sum(right) / length)


@pytest.mark.slow
@pytest.mark.parametrize('bad_videos', ['wrong', 'error'])
def test_a_bad_video_counts_once(
    dist_run: ModuleType, tmp_path: Path, bad_videos: str
) -> None:
    # of 7 clips on 3 ranks the first two are read twice, and one of them
    # is broken
    cfg = dist_run.scoring_config(tmp_path, 2, 7)
    cfg.test_dataloader.dataset.bad = (0, 5)
    cfg.test_evaluator[0].update(type='RobustAccMetric', bad_videos=bad_videos)
    ended = dist_run.World(3, dist_run.score, cfg).wait()
    if bad_videos == 'error':
        for end in ended:
            assert end.exitcode == 1
            assert '2 videos cannot be read' in end.error
        return
    assert [e.exitcode for e in ended] == [0, 0, 0]
    with open(tmp_path / 'scores.pkl', 'rb') as f:
        scores = pickle.load(f)
    assert [s['number'] for s in scores] == list(range(7))
    right = [
        int(s['pred_label']) == int(s['gt_label'])
        for s in scores
        if s['number'] not in (0, 5)
    ]
    assert ended[0].result['acc/bad_videos'] == 2
    assert ended[0].result['acc/top1'] == pytest.approx(sum(right) / 7)
