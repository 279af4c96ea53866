"""Fusion of streams: numbers, weights, report."""

import json
import subprocess
import sys

import numpy as np
import pytest
from mmaction.evaluation import mean_class_accuracy, top_k_accuracy

from lgd_tools.cli import ToolError
from lgd_tools.results.fuse_streams import (
    fuse_files,
    main,
    normalise_weights,
    pooled_interval,
)
from lgd_tools.results.measures import class_accuracies, measure


@pytest.fixture
def streams(write_dump, make_scores):
    """RGB and flow of 200 videos, in different orders, and their scores."""
    rgb, labels = make_scores(200, 8, 1, 1.5)
    flow, _ = make_scores(200, 8, 2, 1.2)
    order = np.random.default_rng(0).permutation(200)
    files = {
        'rgb': write_dump(
            'rgb.pkl', rgb, labels, [f'a/v{i:03d}.avi' for i in range(200)]
        ),
        'flow': write_dump(
            'flow.pkl',
            flow,
            labels,
            [f'b/v{i:03d}' for i in range(200)],
            'frame_dir',
            order,
        ),
    }
    return files, rgb.astype(np.float32), flow.astype(np.float32), labels


def test_measures_equal_the_stock_ones(make_scores):
    values, labels = make_scores(300, 12, 0)
    values[::7] = 1 / 12  # ties
    found = measure(values, labels)
    top1, top5 = top_k_accuracy(list(values), labels, (1, 5))
    assert found['top1'] == pytest.approx(top1, abs=1e-12)
    assert found['top5'] == pytest.approx(top5, abs=1e-12)
    # argmax and argsort part ways on ties only
    values, labels = make_scores(300, 12, 0)
    assert measure(values, labels)['mean_class'] == pytest.approx(
        mean_class_accuracy(list(values), labels), abs=1e-12
    )


def test_mean_class_leaves_out_unseen_classes():
    values = np.eye(4)[[0, 0, 1, 0]]
    labels = np.array([0, 0, 1, 1])
    accuracies = class_accuracies(values, labels)
    assert accuracies[:2].tolist() == [1, 0.5]
    assert np.isnan(accuracies[2:]).all()
    assert measure(values, labels)['mean_class'] == 0.75
    # one video right in class 1, none in 0: top-1 and mean class differ
    assert measure(values[[0, 2]], np.array([1, 1]))['top1'] == 0.5


def test_fuses_as_computed_by_hand(streams):
    files, rgb, flow, labels = streams
    report = fuse_files(files, weights=[1, 3])
    mixed = 0.25 * rgb.astype(float) + 0.75 * flow.astype(float)
    top1, top5 = top_k_accuracy(list(mixed), labels, (1, 5))
    assert report['videos'] == 200
    assert report['classes'] == 8
    assert [s['weight'] for s in report['streams']] == [0.25, 0.75]
    assert report['fused']['top1'] == pytest.approx(top1, abs=1e-12)
    assert report['fused']['top5'] == pytest.approx(top5, abs=1e-12)
    alone = top_k_accuracy(list(rgb), labels, (1,))[0]
    assert report['streams'][0]['top1'] == pytest.approx(alone, abs=1e-12)


def test_per_class_gains_add_up(streams, tmp_path):
    files, *_ = streams
    label_map = tmp_path / 'classes.txt'
    label_map.write_text(''.join(f'c{i}\n' for i in range(8)))
    report = fuse_files(files, label_map=label_map)
    rows = report['per_class']
    assert sum(row['videos'] for row in rows) == 200
    assert rows[3]['name'] == 'c3'
    assert {row['gain_over'] for row in rows} == {'rgb'}
    total = sum(row['videos'] * row['gain'] for row in rows) / 200
    best = report['streams'][0]['top1']
    assert total == pytest.approx(report['fused']['top1'] - best, abs=1e-12)


@pytest.mark.slow
def test_three_streams_and_one(streams, write_dump, make_scores):
    files, *_ = streams
    third, labels = make_scores(200, 8, 3)
    names = [f'v{i:03d}' for i in range(200)]
    files = {**files, 'sound': write_dump('s.pkl', third, labels, names)}
    report = fuse_files(files, weights=[2, 1, 1])
    assert [s['weight'] for s in report['streams']] == [0.5, 0.25, 0.25]
    report = fuse_files({'rgb': files['rgb']})
    assert report['fused'] is None


def test_weights():
    assert normalise_weights(None, 4).tolist() == [0.25] * 4
    for bad, streams in [
        ([1], 2),
        ([1, -1], 2),
        ([0, 0], 2),
        ([1, np.nan], 2),
    ]:
        with pytest.raises(ToolError, match='weights'):
            normalise_weights(bad, streams)


def test_refuses_logits(write_dump):
    file = write_dump('r.pkl', 5 * np.eye(3), range(3), list('abc'))
    with pytest.raises(ToolError, match="test with average_clips='prob'"):
        fuse_files({'rgb': file})


def test_refuses_one_file_twice(streams, tmp_path):
    files, *_ = streams
    copy = tmp_path / 'copy.pkl'
    copy.write_bytes(files['rgb'].read_bytes())
    with pytest.raises(ToolError, match='rgb and flow are the same file'):
        fuse_files({'rgb': files['rgb'], 'flow': copy})


def test_command_line(streams, tmp_path, capsys):
    files, *_ = streams
    classes = tmp_path / 'classes.txt'
    classes.write_text(''.join(f'class no {i}\n' for i in range(8)))
    out = tmp_path / 'out' / 'f.json'
    code = main(
        [f'{name}={path}' for name, path in files.items()]
        + ['--weights', '2', '1', '--classes', str(classes)]
        + ['--out', str(out)]
    )
    assert code == 0
    text = capsys.readouterr().out
    assert 'measured on 200 videos of 8 classes' in text
    report = json.loads(out.read_text())
    assert report['streams'][0]['weight'] == pytest.approx(2 / 3)
    assert report['per_class'][1]['name'] == 'class no 1'


def test_the_interval_of_all_folds():
    """9 of 10 in each of two folds are 18 of 20."""
    one = {'videos': 10, 'fused': None, 'streams': [{'top1': 0.9}]}
    assert pooled_interval([one, one]) == (
        'top-1: 18 of 20, 90.00 % (95 % interval, Wilson: 69.90 to 97.21)'
    )
    fused = {**one, 'fused': {'top1': 1.0}}
    assert pooled_interval([fused]).startswith('top-1: 10 of 10, 100.00 %')


def test_errors_of_the_command_line(streams, tmp_path):
    files, *_ = streams
    rgb, flow = (f'{k}={v}' for k, v in files.items())
    for argv, message in [
        ([rgb, flow, '--weights', '1'], '1 weights for 2 streams'),
        ([rgb, rgb], 'two streams are called rgb'),
        ([rgb, flow, '--ann', 'sound=x'], '--ann names sound'),
    ]:
        with pytest.raises(ToolError, match=message):
            main(argv)
    short = tmp_path / 'two.txt'
    short.write_text('a\nb\n')
    with pytest.raises(ToolError, match='has 2 classes, not 8'):
        main([rgb, flow, '--classes', str(short)])


@pytest.mark.slow
def test_runs_from_anywhere(repo_root, streams, tmp_path):
    files, *_ = streams
    script = repo_root / 'tools/analysis/fuse_streams.py'
    done = subprocess.run(
        [sys.executable, script, files['rgb'], tmp_path / 'none.pkl'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith('error: score file')
    assert done.stderr.count('\n') == 1
