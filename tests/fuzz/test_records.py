"""What the tools write down and read again."""

import contextlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from lgd_mmaction.errors import LGDError
from lgd_tools.experiment.steps import StepStore
from lgd_tools.journal import Journal, Outcome, Report
from lgd_tools.results.run_log import read_course
from lgd_tools.results.scores import load_scores
from lgd_tools.results.summarise_splits import (
    format_table,
    read_report,
    summarise,
)
from lgd_tools.synthetic.generator_run import claim_folder
from tests.fuzz import strategies as make
from tests.fuzz.harness import SPLIT, fuzzed, write
from tests.fuzz.strategies import changed_json, damaged


# ------------------------------------------------------------------- scores
def _entries(tensors: bool) -> list[dict[str, Any]]:
    def array(values: Any) -> Any:
        values = np.asarray(values)
        if tensors:
            import torch

            return torch.tensor(values)
        return values

    return [
        {
            'pred_score': array([0.25, 0.75]),
            'pred_label': array([1]),
            'gt_label': array([i % 2]),
            'img_shape': (112, 112),
            'filename': f'walk/v{i}.mp4',
        }
        for i in range(2)
    ]


def _plain_entries() -> list[dict[str, Any]]:
    entries = _entries(tensors=False)
    for entry in entries:
        for key in ('pred_score', 'pred_label', 'gt_label'):
            entry[key] = entry[key].tolist()
    return entries


# opcodes: memo with a large index, reduce, build, long numbers
_OPCODES = (
    *(b'r\xff\xff\xff\x7f', b'R', b'b', b'\x8b', b'\x81', b'0'),
    *(b'cbuiltins\neval\n', b'cnumpy\nndarray\n', b'O8', b'V8'),
    *(b'\x8e\xff\xff\xff\xff\xff\x00\x00\x00', b'(', b't', b'.'),
)


@fuzzed(
    damaged(
        pickle.dumps(_entries(tensors=True)),
        pickle.dumps(_entries(tensors=False)),
        pickle.dumps(_entries(tensors=False), protocol=2),
        pickle.dumps(_plain_entries()),
        words=_OPCODES,
    ),
    make.changed_pickle(_plain_entries()),
    weight=1.5,
)
def test_scores(data: bytes, root: Path) -> None:
    path = write(root / 'a.pkl', data)
    names = write(root / 'a.txt', b'walk/v0.mp4 0\nwalk/v1.mp4 1\n')
    with contextlib.suppress(LGDError):
        load_scores(path)
    load_scores(path, names)


# --------------------------------------------------------------------- JSON
_LOG = [
    {'lr': 0.01, 'loss': 2.5, 'loss_local': 1.0, 'epoch': 1, 'step': 2},
    {'acc/top1': 0.5, 'data_time': 0.1, 'step': 1},
    {'lr': 0.01, 'loss': 1.5, 'loss_cls': 1.5, 'epoch': 2, 'step': 4},
]
_MARKER = {
    'step': 'rgb',
    'state': 'done',
    'inputs': {'config': 'abc', 'seed': 0},
    'outputs': {'/dev/null': 'abc'},
    'versions': {},
}
_STREAM = {'name': 'rgb', 'file': 'a.pkl', 'sha256': 'a', 'weight': 1.0}
_STREAM |= {'top1': 0.5, 'top5': 0.75, 'mean_class': 0.5}
_STREAMS = [_STREAM, {**_STREAM, 'name': 'flow', 'sha256': 'b'}]
_FUSED = {
    'tool': 'fuse_streams',
    'videos': 10,
    'classes': 5,
    'streams': _STREAMS,
    'fused': {'top1': 0.6, 'top5': 0.8, 'mean_class': 0.5},
}
_OUTCOME = {
    'key': 'a.mp4',
    'status': 'done',
    'result': {'frames': 3, 'note': ''},
    'error': '',
    'seconds': 0.5,
    'stamp': 'x',
    'params': 'y',
}
_JOURNAL = [_OUTCOME, {**_OUTCOME, 'key': 'b.mp4', 'status': 'failed'}]


def _bytes(document: Any) -> bytes:
    return json.dumps(document).encode()


def _lines(documents: list) -> bytes:
    return b''.join(_bytes(d) + b'\n' for d in documents)


@fuzzed(
    damaged(_lines(_LOG), _lines(_LOG) + SPLIT + _lines(_LOG)),
    changed_json(_LOG, per_line=True),
)
def test_run_log(data: bytes, folder: Path) -> None:
    for stamp, part in zip(('1', '2'), data.split(SPLIT), strict=False):
        (folder / stamp / 'vis_data').mkdir(parents=True)
        (folder / stamp / 'vis_data' / 'scalars.json').write_bytes(part)
    course = read_course(folder)
    for split in ('train', 'val'):
        for key in course.keys(split):
            course.curve(split, key)


@fuzzed(damaged(_bytes(_MARKER)), changed_json(_MARKER), weight=0.7)
def test_steps_of_an_experiment(data: bytes, folder: Path) -> None:
    store = StepStore(folder, {})
    (folder / 'rgb.json').write_bytes(data)
    store.done('rgb', {'config': 'abc', 'seed': 0})
    store.start('rgb', {'config': 'abc', 'seed': 0}, [])
    store.finish('rgb', [])


@fuzzed(damaged(_bytes(_FUSED)), changed_json(_FUSED))
def test_fused_reports(data: bytes, folder: Path) -> None:
    (folder / 'a.json').write_bytes(data)
    other = [{**s, 'sha256': f'{i} b'} for i, s in enumerate(_STREAMS)]
    (folder / 'b.json').write_bytes(_bytes({**_FUSED, 'streams': other}))
    report = read_report(folder / 'a.json')
    format_table('a', summarise([report]))
    summarise([report, read_report(folder / 'b.json')])


@fuzzed(damaged(_lines(_JOURNAL)), changed_json(_JOURNAL, per_line=True))
def test_journal(data: bytes, folder: Path) -> None:
    path = folder / 'journal.jsonl'
    path.write_bytes(data)
    with Journal(path) as book:
        book.add(Outcome('c.mp4', 'done', {'note': 'x'}))
        report = Report(list(book.entries.values()))
        report.print_bad()
        _ = report.exit_code
        with contextlib.suppress(LGDError):
            book.require_only('y')
    with Journal(path) as book:
        pass
    assert 'c.mp4' in book.entries, 'the line that was added is lost'


_LOOK = {'seed': 0, 'size': [8, 8]}


@fuzzed(damaged(_bytes(_LOOK)), changed_json(_LOOK), weight=0.5)
def test_manifest_of_clips(data: bytes, folder: Path) -> None:
    manifest = write(folder / 'parameters.json', data)
    claim_folder(manifest, _LOOK, [])
