"""What the package reads: checkpoints, tubes, boxes, lists, configs."""

import contextlib
import io
import itertools
import json
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from lgd_mmaction.datasets.annotation_lines import check_lines
from lgd_mmaction.detection.annotations import load_tubes, save_tubes
from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.errors import LGDError
from lgd_mmaction.launch.config_errors import read_config
from lgd_mmaction.launch.preflight import _check_checkpoint
from lgd_mmaction.models.inflate import load_2d_state_dict
from tests.fuzz import strategies as make
from tests.fuzz.harness import Escape, fuzzed
from tests.fuzz.strategies import changed_json, damaged


# -------------------------------------------------------------- checkpoints
def _checkpoints() -> list[bytes]:
    from mmengine.logging import HistoryBuffer

    content = {
        'state_dict': {'conv1.weight': torch.ones(2, 3, 1, 1)},
        'meta': {'epoch': 1, 'seed': 0},
        'message_hub': {
            'log_scalars': {'loss': HistoryBuffer([0.5], [1])},
            'runtime_info': {'best': np.float64(0.5), 'n': np.str_('x')},
        },
    }
    files = []
    for zipped in (True, False):
        buffer = io.BytesIO()
        torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
        files.append(buffer.getvalue())
    return files


def _pickle_of(checkpoint: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as archive:
        return archive.read('archive/data.pkl')


def _with_pickle(checkpoint: bytes, data: bytes) -> bytes:
    """The checkpoint around another pickle, with right check sums."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(checkpoint)) as old,
        zipfile.ZipFile(out, 'w') as new,
    ):
        for name in old.namelist():
            is_pickle = name.endswith('data.pkl')
            new.writestr(name, data if is_pickle else old.read(name))
    return out.getvalue()


_FILES = _checkpoints()


@fuzzed(
    damaged(
        *_FILES, words=(b'PK\x01\x02', b'PK\x05\x06', b'\x80\x02', b'data.pkl')
    ),
    weight=0.5,
)
def test_checkpoint(data: bytes, folder: Path) -> None:
    _read_checkpoint(data, folder)


def _read_checkpoint(data: bytes, folder: Path) -> None:
    path = folder / 'a.pth'
    path.write_bytes(data)
    with contextlib.suppress(LGDError):
        _check_checkpoint('load_from', str(path))
    load_2d_state_dict(str(path))


@pytest.mark.slow
@fuzzed(
    damaged(
        _pickle_of(_FILES[0]),
        words=(
            *(b'cnumpy\nndarray\n', b'cbuiltins\ngetattr\n', b'R', b'b'),
            *(b'cbuiltins\nbytes\n', b'\x81', b'X\x01\0\0\0O', b'(', b't'),
            *(b'ctorch.storage\n_load_from_bytes\n', b'r\xff\xff\xff\x7f'),
        ),
    ),
    weight=0.7,
)
def test_pickle_of_a_checkpoint(data: bytes, folder: Path) -> None:
    """Past the check sums of the archive, into the unpickler."""
    _read_checkpoint(_with_pickle(_FILES[0], data), folder)


# ---------------------------------------------------------- tubes and boxes
_TUBES = {
    'format': 'lgd_mmaction tubes',
    'version': 1,
    'dataset': 'jhmdb',
    'classes': ['walk', 'run'],
    'splits': {'1': {'train': ['walk/a'], 'test': ['run/b']}},
    'videos': {
        'walk/a': {
            'num_frames': 3,
            'width': 8,
            'height': 6,
            'tubes': [
                {'label': 0, 'start': 1, 'boxes': [[0, 0, 4, 4.5]] * 2},
            ],
        },
        'run/b': {'num_frames': 1, 'width': 8, 'height': 6, 'tubes': []},
    },
}


@fuzzed(damaged(json.dumps(_TUBES).encode()), changed_json(_TUBES), weight=1.5)
def test_tubes(data: bytes, folder: Path) -> None:
    path = folder / 'tubes.json'
    path.write_bytes(data)
    annotations = load_tubes(path)
    for split, subsets in annotations.splits.items():
        for subset in subsets:
            annotations.subset(split, subset)
    for name in annotations.videos:
        # what is written for a video lies below --out
        if folder not in Path(os.path.normpath(folder / name)).parents:
            raise Escape(f'the video {name!r}')
    # what was accepted can be written, and is accepted again
    save_tubes(annotations, folder / 'again.json')
    assert len(load_tubes(folder / 'again.json').videos) == len(
        annotations.videos
    )


def _table() -> dict[str, np.ndarray]:
    return {
        'videos': np.array(['walk/a', 'run/b']),
        'video': np.array([0, 1], np.int32),
        'frame': np.array([0, 3], np.int32),
        'boxes': np.array([[0, 0, 0.5, 0.5]] * 2, np.float32),
        'score': np.array([0.5, 0.25], np.float32),
        'scores': np.full((2, 3), 0.25, np.float32),
        'frames_video': np.array([0, 1], np.int32),
        'frames_frame': np.array([0, 3], np.int32),
    }


def _npz(table: dict[str, np.ndarray], compressed: bool = False) -> bytes:
    buffer = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(buffer, **table)
    return buffer.getvalue()


def _members() -> list[bytes]:
    seeds = []
    for i, name in enumerate(sorted(_table())):
        buffer = io.BytesIO()
        np.save(buffer, _table()[name])
        seeds.append(b'x' * i + b'\n' + buffer.getvalue())
    return seeds


def _changed_table() -> st.SearchStrategy:
    arrays = st.one_of(
        st.lists(st.floats(width=32), max_size=4).map(np.array),
        st.lists(st.integers(-2, 5), max_size=4).map(np.array),
        make.words().map(np.array),
        st.sampled_from(('i8', 'O', 'U3', '2f4,i2', 'M8[s]', 'f2', '?')).map(
            lambda code: np.zeros((2,), code)
        ),
    )
    names = st.sampled_from(sorted(_table()))
    changes = st.dictionaries(names, arrays, min_size=1, max_size=3)
    return changes.map(lambda c: _npz({**_table(), **c}))


@fuzzed(
    damaged(
        *(_npz(_table()), _npz(_table(), compressed=True)),
        words=(b'PK\x01\x02', b'\x93NUMPY', b"'descr': '|O'"),
    ),
    _changed_table(),
    weight=0.7,
)
def test_boxes(data: bytes, folder: Path) -> None:
    _read_boxes(data, folder)


def _read_boxes(data: bytes, folder: Path) -> None:
    path = folder / 'boxes.npz'
    path.write_bytes(data)
    with contextlib.suppress(LGDError):
        BoxTable.load(path, 'proposals')
    BoxTable.load(path, 'detections')


@fuzzed(
    damaged(
        *_members(),
        words=(b"'|O'", b"'<f8'", b'(9999999999,)', b"'<U9'", b'True'),
    ),
    weight=0.7,
)
def test_arrays_of_boxes(data: bytes, folder: Path) -> None:
    """Past the check sums of the archive, into the arrays."""
    name, _, member = data.partition(b'\n')
    buffer = io.BytesIO(_npz(_table()))
    names = sorted(_table())
    chosen = names[len(name) % len(names)]
    with (
        zipfile.ZipFile(buffer) as old,
        zipfile.ZipFile(folder / 'boxes.npz', 'w') as new,
    ):
        for entry in old.namelist():
            is_it = entry == f'{chosen}.npy'
            new.writestr(entry, member if is_it else old.read(entry))
    _read_boxes((folder / 'boxes.npz').read_bytes(), folder)


# -------------------------------------------------------------------- lists
@fuzzed(
    damaged(
        *(b'abseiling/a.mp4 0\nwalk/b.avi 17\n', b'walk/a 64 0\nb 17 1\n'),
    ),
    make.lines(
        make.words(),
        st.one_of(st.integers(-1, 400).map(str), make.words()),
    ),
    weight=0.7,
)
def test_dataset_lists(data: bytes, folder: Path) -> None:
    """What the data sets check before they read a list."""
    path = folder / 'list.txt'
    path.write_bytes(data)
    for key, tested in itertools.product(('filename', 'frame_dir'), (0, 1)):
        options = dict(delimiter=' ', multi_class=False, with_offset=False)
        dataset = SimpleNamespace(
            ann_file=str(path),
            path_key=key,
            test_mode=bool(tested),
            num_classes=(None, 400)[tested],
            **options,
        )
        with contextlib.suppress(LGDError):
            check_lines(dataset)


# ------------------------------------------------------------------ configs
_CONFIG = {
    'model': {
        'type': 'Recognizer3D',
        'backbone': {'type': 'LGDResNet3d', 'depth': 50},
        'cls_head': {'type': 'KernelizedHead', 'num_classes': 4},
    },
    'train_dataloader': {
        'dataset': {
            'type': 'VideoDataset',
            'ann_file': 'a.txt',
            'pipeline': [{'type': 'DecordInit'}, {'type': 'Flip'}],
        }
    },
    'test_evaluator': {'type': 'AccMetric'},
    'default_hooks': {'timer': {'type': 'IterTimerHook'}},
}


@fuzzed(
    damaged(
        *(json.dumps(_CONFIG).encode(), b'model:\n  type: Recognizer3D\n'),
        words=(
            *(b'!!python/object/apply:os.abort []', b'_base_', b'_delete_'),
        ),
    ),
    changed_json(_CONFIG),
    weight=0.05,
)
def test_configs(data: bytes, folder: Path) -> None:
    """Configs that are data; those in Python are programs."""
    for name in ('a.json', 'a.yaml'):
        path = folder / name
        path.write_bytes(data)
        with contextlib.suppress(LGDError):
            read_config(str(path))
