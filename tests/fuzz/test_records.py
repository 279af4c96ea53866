"""What the tools write down and read again."""

import contextlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from lgd_mmaction.errors import LGDError
from lgd_tools.journal import Journal, Outcome
from lgd_tools.results.scores import load_scores
from lgd_tools.synthetic.generator_run import claim_folder
from tests.fuzz import strategies as make
from tests.fuzz.harness import fuzzed, write
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


@fuzzed(damaged(_lines(_JOURNAL)), changed_json(_JOURNAL, per_line=True))
def test_journal(data: bytes, folder: Path) -> None:
    path = folder / 'journal.jsonl'
    path.write_bytes(data)
    with Journal(path) as book:
        book.add(Outcome('c.mp4', 'done', {'note': 'x'}))
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
