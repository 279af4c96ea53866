"""Report of a run: merged logs, numbers, pictures, errors."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from lgd_tools.cli import ToolError
from lgd_tools.results.measures import confusion
from lgd_tools.results.report_run import (
    confused_pairs,
    main,
    report_run,
)
from lgd_tools.results.run_log import read_course
from lgd_tools.results.scores import load_scores

STEPS = 4  # training steps an epoch


def train_row(step: int, switch: int = 2, loss: float | None = None) -> dict:
    """What mmengine logs; stage 1's losses go on after the switch."""
    epoch = (step - 1) // STEPS + 1
    row = {
        'lr': 0.1,
        'loss': 4 / step if loss is None else loss,
        'loss_local': 1 / step,
        'loss_global': 2 / step,
        'top1_acc': 0.5,
        'epoch': epoch,
        'iter': step,
        'step': step,
    }
    if epoch > switch:
        row['loss_cls'] = 3 / step
    return row


def val_row(epoch: int, top1: float = 0.4) -> dict:
    return {'acc/top1': top1, 'acc/top5': 0.9, 'step': epoch}


def write_log(work_dir: Path, stamp: str, rows: list[dict]) -> Path:
    path = work_dir / stamp / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(f'{json.dumps(row)}\n' for row in rows))
    return path


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    """Three epochs, the switch after two, killed in the third, resumed."""
    folder = tmp_path / 'work'
    rows = [train_row(s) for s in range(1, 11)]
    rows[4:4] = [val_row(1, 0.1)]
    rows[9:9] = [val_row(2, 0.2)]
    write_log(folder, '20240101_000000', rows)
    rows = [train_row(s, loss=7.0) for s in range(9, 13)] + [val_row(3, 0.3)]
    write_log(folder, '20240102_000000', rows)
    return folder


def test_merges_a_resumed_run(work_dir):
    course = read_course(work_dir)
    assert course.unit == 'epoch'
    assert course.starts == 2
    assert [r['step'] for r in course.train] == list(range(1, 13))
    # steps 9 and 10 were done twice; the second time counts
    losses = [r['loss'] for r in course.train]
    assert losses == [4 / s for s in range(1, 9)] + [7.0] * 4
    assert course.curve('val', 'acc/top1') == ([1, 2, 3], [0.1, 0.2, 0.3])
    assert course.curve('train', 'loss')[0] == [s / 4 for s in range(1, 13)]


def test_finds_the_switch_and_cuts_stale_losses(work_dir):
    course = read_course(work_dir)
    assert course.switch == 2
    assert course.curve('train', 'loss_local')[0] == [
        s / 4 for s in range(1, 9)
    ]
    x, y = course.curve('train', 'loss_cls')
    assert x == [2.25, 2.5, 2.75, 3]
    assert y == [3 / s for s in range(9, 13)]


def test_a_run_started_anew_replaces_the_old_one(work_dir):
    rows = [train_row(s, loss=9.0) for s in range(1, 5)] + [val_row(1, 0.7)]
    write_log(work_dir, '20240103_000000', rows)
    course = read_course(work_dir)
    assert [r['loss'] for r in course.train] == [9.0] * 4
    assert course.curve('val', 'acc/top1') == ([1], [0.7])
    assert course.switch is None


def test_one_stage_and_iteration_based_runs(tmp_path):
    rows = [
        {'loss': 1.0, 'loss_cls': 1.0, 'iter': s, 'step': s}
        for s in (10, 20, 30)
    ]
    write_log(tmp_path, '1', [*rows, {'acc/top1': 0.5, 'step': 30}])
    course = read_course(tmp_path)
    assert course.unit == 'iteration'
    assert course.switch is None
    assert course.curve('train', 'loss_cls') == ([10, 20, 30], [1.0] * 3)
    assert course.curve('val', 'acc/top1') == ([30], [0.5])


def test_half_a_line_at_the_end_is_left_out(work_dir):
    file = work_dir / '20240102_000000' / 'vis_data' / 'scalars.json'
    whole = file.read_text()
    file.write_text(whole + '{"loss": 1.0, "st')
    assert len(read_course(work_dir).train) == 12
    file.write_text('{"loss": 1.\n' + whole)
    with pytest.raises(
        ToolError, match=r'scalars.json:1 is no record .* JSON'
    ):
        read_course(work_dir)


def test_nan_losses_leave_gaps(tmp_path):
    rows = [train_row(1), train_row(2, loss=float('nan')), train_row(3)]
    write_log(tmp_path, '1', rows)
    assert read_course(tmp_path).curve('train', 'loss')[1] == [4, 4 / 3]


@pytest.fixture
def run(work_dir, tmp_path, write_dump, make_scores):
    """A finished run on 24 clips of 3 classes, and its arguments."""
    values, labels = make_scores(24, 3, 5, 1.5)
    names = [f'c{k}/v{i:02d}.mp4' for i, k in enumerate(labels)]
    label_map = tmp_path / 'label_map.txt'
    label_map.write_text('jump\nrun\nwalk\n')
    return {
        'work_dir': work_dir,
        'scores': write_dump('scores.pkl', values, labels, names),
        'out': tmp_path / 'report',
        'label_map': label_map,
    }, (values.astype(np.float32), labels)


@pytest.mark.slow
def test_numbers_equal_those_computed_by_hand(run):
    arguments, (values, labels) = run
    summary = report_run(**arguments)
    predicted = values.argmax(1)
    matrix = np.zeros((3, 3), int)
    for true, said in zip(labels, predicted, strict=True):
        matrix[true, said] += 1
    dump = load_scores(arguments['scores'])
    assert (confusion(dump.values, dump.labels) == matrix).all()
    assert summary['clips'] == 24
    assert summary['right'] == (predicted == labels).sum()
    assert summary['top1'] == pytest.approx((predicted == labels).mean())
    assert summary['chance'] == np.bincount(labels).max() / 24
    # Wilson, 1927
    n, share, z = 24, summary['top1'], 1.959964
    middle, half = (
        share + z * z / 2 / n,
        z * z / 4 / n / n + share * (1 - share) / n,
    )
    low, high = summary['top1_interval_95']
    assert (low + high) / 2 == pytest.approx(middle / (1 + z * z / n))
    assert (high - low) / 2 == pytest.approx(z * half**0.5 / (1 + z * z / n))
    assert 'top5' not in summary  # of three classes
    for k, name in enumerate(('jump', 'run', 'walk')):
        assert summary['class_accuracy'][name] == pytest.approx(
            (predicted == labels)[labels == k].mean()
        )
    worst = summary['commonest_mistakes'][0]
    np.fill_diagonal(matrix, 0)
    assert worst['clips'] == matrix.max()
    training = summary['training']
    assert (training['unit'], training['length']) == ('epoch', 3)
    assert (training['switch'], training['starts']) == (2, 2)
    assert training['loss_local'] == {'first': 1, 'last': 1 / 8}
    assert training['val acc/top1'] == {'last': 0.3, 'best': 0.3}
    written = json.loads((arguments['out'] / 'summary.json').read_text())
    assert written == summary


@pytest.mark.slow
def test_pictures_are_whole_and_nothing_else_is_written(run):
    arguments, _ = run
    summary = report_run(**arguments)
    assert sorted(p.name for p in arguments['out'].iterdir()) == [
        'confusion_matrix.png',
        'curves.png',
        'summary.json',
    ]
    for path in summary['pictures']:
        picture = imread(path)
        assert min(picture.shape[:2]) > 200
        assert picture.std() > 0.02  # not one colour


@pytest.mark.slow
def test_many_classes_and_no_mistakes_can_be_drawn(
    work_dir, tmp_path, write_dump
):
    labels = np.arange(400).repeat(2)
    values = np.eye(400)[labels]
    names = [f'{i}.mp4' for i in range(800)]
    out = tmp_path / 'out'
    dump = write_dump('a.pkl', values, labels, names)
    summary = report_run(work_dir, dump, out)
    assert summary['top1'] == 1
    assert summary['commonest_mistakes'] == []
    width_before = imread(out / 'confusion_matrix.png').shape[1]
    values[::2] = np.roll(values[::2], 1, axis=1)
    dump = write_dump('b.pkl', values, labels, names)
    summary = report_run(work_dir, dump, out)
    assert summary['top1'] == 0.5
    assert len(summary['commonest_mistakes']) == 20
    # as readable with 400 classes as with few
    assert imread(out / 'confusion_matrix.png').shape[1] == width_before


@pytest.mark.slow
def test_a_run_of_another_head_and_a_dump_without_names(tmp_path, write_dump):
    rows = [{'loss': 1 / s, 'step': s, 'epoch': s} for s in (1, 2)]
    write_log(tmp_path, '1', rows)
    dump = write_dump('a.pkl', np.eye(6), np.arange(6), None)
    summary = report_run(tmp_path, dump, tmp_path / 'out')
    assert (summary['right'], summary['clips']) == (6, 6)
    matrix = imread(tmp_path / 'out' / 'confusion_matrix.png')
    assert min(matrix.shape[:2]) > 200


def test_confused_pairs_are_ranked():
    matrix = np.array([[9, 0, 2], [5, 1, 0], [2, 0, 4]])
    assert confused_pairs(matrix) == [(1, 0, 5), (0, 2, 2), (2, 0, 2)]
    assert confused_pairs(np.eye(3, dtype=int)) == []


def test_errors_are_one_sentence(run, capsys, tmp_path):
    arguments, _ = run
    with pytest.raises(ToolError, match='work directory .* does not exist'):
        report_run(tmp_path / 'nowhere', arguments['scores'], tmp_path)
    (tmp_path / 'bare').mkdir()
    with pytest.raises(ToolError, match='holds no log of training'):
        report_run(tmp_path / 'bare', arguments['scores'], tmp_path)
    arguments['label_map'].write_text('jump\nrun\n')
    with pytest.raises(ToolError, match=r'has 2 classes, not 3'):
        report_run(**arguments)
    arguments['label_map'].write_text('jump\nrun\nrun\n')
    with pytest.raises(ToolError, match="class 'run' stands on line 2 too"):
        report_run(**arguments)


@pytest.mark.slow
def test_command_line_without_torch_in_its_imports(run, repo_root):
    arguments, _ = run
    tool = repo_root / 'tools' / 'analysis' / 'report_run.py'
    code = (
        'import sys, runpy; sys.argv = ["report_run.py", "--help"]\n'
        f'try: runpy.run_path({str(tool)!r}, run_name="__main__")\n'
        'except SystemExit as end: assert end.code == 0\n'
        'assert not {"torch", "mmaction", "matplotlib"} & set(sys.modules)'
    )
    folder = str(tool.parent)
    subprocess.run(
        [sys.executable, '-c', f'import sys; sys.path[0]={folder!r}\n{code}'],
        check=True,
        capture_output=True,
    )
    missing = subprocess.run(
        [sys.executable, tool, 'nowhere', '--scores', arguments['scores']],
        capture_output=True,
        text=True,
    )
    assert missing.returncode == 2
    assert missing.stderr.startswith(
        'error: work directory nowhere does not exist'
    )
    assert missing.stderr.count('\n') == 1


@pytest.mark.slow
def test_main_prints_the_number_with_its_clips(run, capsys):
    arguments, (values, labels) = run
    code = main(
        [
            str(arguments['work_dir']),
            '--scores',
            str(arguments['scores']),
            '--out',
            str(arguments['out']),
        ]
    )
    said = capsys.readouterr().out
    right = int((values.argmax(1) == labels).sum())
    assert code == 0
    assert f'({right} of 24 clips right' in said
    assert 'chance: ' in said
    assert 'class 0' in said or 'class 1' in said
