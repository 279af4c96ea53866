"""Rows of the paper from raw files to the table, on generated data sets.

Raw files are laid out and named as downloads are; every step is the command
that the documentation gives, with networks and schedules shrunk.
"""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.warm import PYTHON

# depth 18, 8 channels, one epoch a stage, no pretrained weights
SHRINK = [
    *('model.backbone.depth=18', 'model.backbone.base_channels=8'),
    *('model.backbone.pretrained=None', 'load_from=None'),
    *('model.cls_head.in_channels=64', 'model.cls_head.sketch_dim=64'),
    *('model.cls_head.num_classes=2', 'train_cfg.max_epochs=2'),
    *('train_cfg.val_begin=2', 'custom_hooks.0.switch_epoch=1'),
]
for _role, _batch in (('train', 2), ('val', 2), ('test', 1)):
    SHRINK += [
        f'{_role}_dataloader.batch_size={_batch}',
        f'{_role}_dataloader.num_workers=0',
        f'{_role}_dataloader.persistent_workers=False',
    ]


@pytest.fixture
def background(repo_root: Path, tmp_path: Path) -> Callable[..., Any]:
    """Starts a script of tools/ in a working folder."""
    path = os.pathsep.join([str(repo_root), os.environ.get('PYTHONPATH', '')])

    def start(script: str, *args: object, **options: Any) -> Any:
        return subprocess.Popen(
            [PYTHON, str(repo_root / 'tools' / script)]
            + [str(arg) for arg in args],
            cwd=tmp_path,
            env={**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1'},
            **options,
        )

    return start


@pytest.fixture
def run(background: Callable[..., Any]) -> Callable[..., str]:
    """Runs a script of tools/ to its end; returns its output."""

    def call(script: str, *args: object) -> str:
        with background(
            script,
            *args,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            out, _ = process.communicate()
        assert process.returncode == 0, out[-5000:]
        return out

    return call


@pytest.fixture
def clips(run: Callable[..., str], tmp_path: Path) -> dict[str, list[Path]]:
    """Six generated clips of each of two classes."""
    run(
        'data/generate_clips.py',
        *('--out', 'generated', '--classes', 'left'),
        *('right', '--train-per-class', 6, '--val-per-class', 1),
        *('--size', '64x48', '--frames', 18, '--workers', 1),
    )
    root = tmp_path / 'generated' / 'videos_train'
    return {
        name: sorted((root / name).iterdir()) for name in ('left', 'right')
    }


def _to_avi(source: Path, target: Path) -> None:
    """Encodes a clip anew, as the DivX in AVI that UCF101 comes in."""
    with av.open(str(source)) as clip, av.open(str(target), 'w') as out:
        video = clip.streams.video[0]
        stream = out.add_stream('mpeg4', rate=25)
        stream.width, stream.height = video.width, video.height
        stream.pix_fmt, stream.bit_rate = 'yuv420p', 1_000_000
        for i, decoded in enumerate(clip.decode(video)):
            pixels = decoded.to_ndarray(format='yuv420p')
            frame = av.VideoFrame.from_ndarray(pixels, format='yuv420p')
            frame.pts, frame.time_base = i, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def _flow(
    run: Callable[..., str], videos: str, frames: str, name: str
) -> None:
    run(
        'data/extract_flow.py',
        *(videos, frames, '--method', 'tvl1_fast', '--workers', 1),
        *('--list', f'{name}_videos.txt'),
        *('--list-out', f'{name}_rawframes.txt'),
    )


def _row(folder: Path) -> dict[str, str]:
    lines = (folder / 'result.md').read_text().splitlines()
    title, _, row = (
        [cell.strip() for cell in line.strip('|').split('|')] for line in lines
    )
    return dict(zip(title, row, strict=True))


def _stock_accuracy(folder: Path) -> dict[str, float]:
    """What the stock test script measured."""
    (path,) = (folder / 'test').glob('*/*.json')
    return json.loads(path.read_text())


def _small_test(views: int, sampler: int) -> list[str]:
    """Fewer clips a video at test, by the place of the sampler."""
    key = 'test_dataloader.dataset.pipeline'
    return [f'{key}.{sampler}.num_clips={views}']


@pytest.mark.slow
def test_kinetics600_from_csv_to_row(
    run, background, clips, tmp_path, repo_root
):
    """LGD-3D, RGB and flow, interrupted and continued on the way."""
    # download: one folder a class, official names, ids with odd starts
    names = {'left': 'abseiling', 'right': "massaging person's head"}
    ids = iter(f'{"-_aZ"[i % 4]}3B32lodo{i:02d}' for i in range(12))
    for split, chosen in (('train', slice(0, 4)), ('val', slice(4, 6))):
        rows = []
        for made, name in names.items():
            folder = tmp_path / 'download' / split / name
            folder.mkdir(parents=True)
            for i, clip in enumerate(clips[made][chosen]):
                youtube, start = next(ids), 10 * i + 7
                shutil.copy(
                    clip,
                    folder / f'{youtube}_{start:06d}_{start + 10:06d}.mp4',
                )
                rows.append([name, youtube, start, start + 10, split])
        with (tmp_path / f'kinetics-600_{split}.csv').open('w') as file:
            writer = csv.writer(file)
            head = ['label', 'youtube_id', 'time_start', 'time_end', 'split']
            writer.writerows([head, *rows])
    run(
        'data/kinetics.py',
        *('--version', 600, '--num-classes', 2, '--videos', 'download'),
        *('--csv', 'kinetics-600_train.csv', 'kinetics-600_val.csv'),
        *('--out', 'data/kinetics600'),
    )
    for split in ('train', 'val'):
        _flow(
            run,
            f'data/kinetics600/videos_{split}',
            f'data/kinetics600/rawframes_{split}',
            f'data/kinetics600/kinetics600_{split}_list',
        )
    configs = repo_root / 'configs'
    argv = [
        *('--name', 'k600', '--work-dir', 'work'),
        *('--rgb', configs / 'lgd3d_k600.py'),
        *('--flow', configs / 'lgd3d_flow_k600.py'),
        *('--cfg-options', *SHRINK),
        *('--stream-options', 'rgb', *_small_test(3, 1)),
        *('--stream-options', 'flow', *_small_test(3, 0)),
    ]
    out = run('run_experiment.py', *argv, '--check-only')
    assert '8 videos, data/kinetics600/kinetics600_train_list_vid' in out
    marker = tmp_path / 'work/k600/steps/train_rgb.json'
    with background('run_experiment.py', *argv) as process:
        first = tmp_path / 'work/k600/rgb/train/epoch_1.pth'
        # the checkpoint is there before it is whole; this is written after
        whole = first.with_name('last_checkpoint')
        while process.poll() is None and not whole.exists():
            time.sleep(0.02)
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    assert json.loads(marker.read_text())['state'] == 'started'
    assert not (tmp_path / 'work/k600/rgb/train/epoch_2.pth').exists()
    out = run('run_experiment.py', *argv)
    # told to stop, the training saved itself within epoch 2 (or was it
    # between its checkpoint and its next step?)
    saved = r'--resume \S*work/k600/rgb/train/(mid_epoch|epoch_1)\.pth'
    assert re.search(saved, out)
    assert json.loads(marker.read_text())['state'] == 'done'
    result = json.loads((tmp_path / 'work/k600/result.json').read_text())
    assert result['summary']['videos'] == [4]
    for part in result['runs']:
        assert part['data']['train']['videos'] == 8
        assert part['data']['test']['videos'] == 4
        assert part['max_epochs'] == 2
        assert part['second_stage_from_epoch'] == 1
    fused = json.loads((tmp_path / 'work/k600/fused.json').read_text())
    assert [s['names_from'] for s in fused['streams']] == ['dump', 'dump']
    assert {r['name'] for r in fused['per_class']} == set(names.values())
    for stream in fused['streams']:
        stock = _stock_accuracy(tmp_path / 'work/k600' / stream['name'])
        assert stream['top1'] == pytest.approx(stock['acc/top1'])
        assert stream['mean_class'] == pytest.approx(stock['acc/mean1'])
    row = _row(tmp_path / 'work/k600')
    assert row['test videos'] == '4'
    assert row['train videos'] == '8'
    # nothing is left to do
    out = run('run_experiment.py', *argv)
    assert out.count('done before') == 4


@pytest.mark.slow
def test_ucf101_three_splits_to_row(run, clips, tmp_path, repo_root):
    """LGD-2D, RGB and flow: mean and spread over the splits."""
    classes = {'left': 'ApplyEyeMakeup', 'right': 'YoYo'}
    names = {}
    for made, name in classes.items():
        folder = tmp_path / 'UCF-101' / name
        folder.mkdir(parents=True)
        names[name] = [f'v_{name}_g{g:02d}_c01.avi' for g in range(1, 7)]
        for clip, file in zip(clips[made], names[name], strict=True):
            _to_avi(clip, folder / file)
    # a third of the groups is tested in each split; files as published
    annotations = tmp_path / 'ucfTrainTestlist'
    annotations.mkdir()
    lines = [f'{i} {name}' for i, name in enumerate(names, 1)]
    _write_crlf(annotations / 'classInd.txt', lines)
    for split in (1, 2, 3):
        train, test = [], []
        for label, (name, files) in enumerate(names.items(), 1):
            for i, file in enumerate(files):
                if i // 2 == split - 1:
                    test.append(f'{name}/{file}')
                else:
                    train.append(f'{name}/{file} {label}')
        _write_crlf(annotations / f'trainlist0{split}.txt', train)
        _write_crlf(annotations / f'testlist0{split}.txt', test)
    ucf101 = (
        *('data/ucf101.py', '--num-classes', 2, '--videos', 'UCF-101'),
        *('--annotations', 'ucfTrainTestlist', '--out', 'data/ucf101'),
    )
    run(*ucf101)
    run(
        'data/extract_flow.py',
        *('data/ucf101/videos', 'data/ucf101/rawframes_240'),
        *('--method', 'dis', '--workers', 1),
    )
    # the lists of the flow of all splits, from one folder of flow
    run(*ucf101, '--rawframes', 'data/ucf101/rawframes_240')
    argv = ['--name', 'ucf101', '--work-dir', 'work']
    for stream, part in (('rgb', ''), ('flow', '_flow')):
        argv += [f'--{stream}']
        for split in (1, 2, 3):
            name = f'lgd2d{part}_ucf101_split{split}.py'
            argv.append(str(repo_root / 'configs' / name))
    argv += ['--cfg-options', *SHRINK]
    argv += ['--stream-options', 'rgb', *_small_test(2, 1)]
    argv += ['--stream-options', 'flow', *_small_test(2, 0)]
    run('run_experiment.py', *argv)
    work = tmp_path / 'work/ucf101'
    result = json.loads((work / 'result.json').read_text())
    assert result['summary']['videos'] == [4, 4, 4]
    assert len(result['runs']) == 6
    for stream in ('rgb', 'flow'):
        found = result['summary']['results'][stream]['top1']
        stock = [
            _stock_accuracy(work / stream / f'split{split}')['acc/top1']
            for split in (1, 2, 3)
        ]
        assert found['values'] == pytest.approx(stock)
        assert found['mean'] == pytest.approx(sum(stock) / 3)
    row = _row(work)
    assert row['test videos'] == '4 + 4 + 4'
    assert row['train videos'] == '8 + 8 + 8'
    assert '±' in row['fused top-1']
    # the commands of the documentation give the same row
    measured = {}
    for split in (1, 2, 3):
        files = [
            f'{stream}=work/ucf101/{stream}/split{split}/scores.pkl'
            for stream in ('rgb', 'flow')
        ]
        run('analysis/fuse_streams.py', *files, '--out', f'{split}.json')
        measured[split] = json.loads((tmp_path / f'{split}.json').read_text())
    out = run(
        'analysis/summarise_splits.py',
        *(f'{split}.json' for split in measured),
        *('--name', 'ucf101', '--measures', 'top1', 'top5'),
    )
    by_hand = [cell.strip() for cell in out.splitlines()[2].split('|')]
    assert by_hand[1:9] == list(row.values())[:8]


def _write_crlf(path: Path, lines: list[str]) -> None:
    path.write_bytes(''.join(f'{line}\r\n' for line in lines).encode())
