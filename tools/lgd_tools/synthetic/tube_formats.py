"""Write tubes as J-HMDB's and UCF101-24's annotations are distributed.

The readers are jhmdb.py and ucf101_24.py; what each format counts from and
which side of a box belongs to it stands with the writer. Pickles are those
of Python 2: protocol 2, strings of bytes, arrays of `numpy.core`.
"""

import io
import pickle
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lgd_mmaction.files import atomic_path, write_bytes
from lgd_tools.cli import write_lines

if TYPE_CHECKING:
    from lgd_mmaction.detection.annotations import TubeAnnotations

# What is added to the edges x1 y1 x2 y2 of a box. J-HMDB's texts hold the
# first and the last pixel, counted from 1, its pickle counted from 0; the
# pickle of UCF101-24 was made from x y w h and holds edges.
_TEXT = (1, 1, 0, 0)
_PICKLE = {'jhmdb': (0, 0, -1, -1), 'ucf101_24': (0, 0, 0, 0)}


# ------------------------------------------------------------------ J-HMDB
def write_jhmdb_splits(truth: 'TubeAnnotations', folder: Path) -> None:
    """`<class>_test_split<N>.txt`: lines `<video>.avi 1` (train) or 2."""
    for split, subsets in truth.splits.items():
        code = dict.fromkeys(subsets['train'], 1)
        code |= dict.fromkeys(subsets['test'], 2)
        for label in truth.classes:
            lines = [
                f'{name.partition("/")[2]}.avi {code[name]}'
                for name in sorted(code)
                if name.startswith(f'{label}/')
            ]
            write_lines(folder / f'{label}_test_split{split}.txt', lines)


def write_jhmdb_boxes(truth: 'TubeAnnotations', folder: Path) -> None:
    """A file a frame, `<class>_<video>_<frame>.txt`: `class x1 y1 x2 y2`.

    Frames and classes count from 1, the classes in alphabetical order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for video in truth.videos.values():
        stem = video.name.replace('/', '_', 1)
        for tube in video.tubes:
            for frame, box in enumerate(tube.boxes, tube.start + 1):
                numbers = ' '.join(f'{x:.0f}' for x in box + _TEXT)
                # not atomic: thousands of files, and written again each time
                (folder / f'{stem}_{frame:05d}.txt').write_text(
                    f'{tube.label + 1} {numbers}\n', encoding='ascii'
                )


def write_puppet_mask(path: Path, masks: np.ndarray) -> None:
    """`puppet_mask.mat` with `part_mask`, uint8 (H, W, T)."""
    from scipy.io import savemat

    how = dict(appendmat=False, do_compression=True)
    with atomic_path(path) as part:
        savemat(part, {'part_mask': masks}, **how)


# --------------------------------------------------------------- UCF101-24
def write_pyannot(truth: 'TubeAnnotations', path: Path) -> None:
    """`pyannot.pkl`, the corrected annotations: x y w h, `ef` exclusive.

    As in the real file, boxes are uint8 wherever they fit, so that x + w
    overflows unless it is cast first.
    """
    content = {}
    for video in truth.videos.values():
        tubes = []
        for tube in video.tubes:
            boxes = tube.boxes.astype(int)
            boxes = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
            tubes.append(
                {
                    'label': tube.label,
                    'sf': tube.start,
                    'ef': tube.stop,
                    'boxes': boxes.astype(_smallest(boxes.max())),
                }
            )
        content[video.name] = {
            'annotations': tubes,
            'numf': _smallest(video.num_frames)(video.num_frames),
            'label': truth.classes.index(video.name.partition('/')[0]),
        }
    write_bytes(path, python2_pickle(content))


def write_ucf_lists(truth: 'TubeAnnotations', folder: Path) -> None:
    """`testlist01.txt` and `trainlist01.txt`: lines `<class>/<video>`."""
    for subset in ('train', 'test'):
        write_lines(
            folder / f'{subset}list01.txt', sorted(truth.splits['1'][subset])
        )


def _smallest(value: int) -> type:
    return np.uint8 if value < 256 else np.uint16


# ------------------------------------------------------------- ACT detector
def write_act_pickle(truth: 'TubeAnnotations', path: Path) -> None:
    """`JHMDB-GT.pkl` or `UCF101v2-GT.pkl`, as the ACT detector reads them.

    `gttubes[video][label]` is a list of float32 (F, 5): the frame from 1,
    then x1 y1 x2 y2; `resolution[video]` is (height, width).
    """
    shift = _PICKLE[truth.dataset]
    splits = [truth.splits[s] for s in sorted(truth.splits)]
    content: dict[str, Any] = {
        'labels': list(truth.classes),
        'gttubes': {},
        'nframes': {v.name: v.num_frames for v in truth.videos.values()},
        'train_videos': [sorted(s['train']) for s in splits],
        'test_videos': [sorted(s['test']) for s in splits],
        'resolution': {
            v.name: (v.height, v.width) for v in truth.videos.values()
        },
    }
    for video in truth.videos.values():
        tubes: dict[int, list] = {}
        for tube in video.tubes:
            frames = np.arange(tube.start, tube.stop)[:, None] + 1
            tubes.setdefault(tube.label, []).append(
                np.hstack([frames, tube.boxes + shift]).astype(np.float32)
            )
        content['gttubes'][video.name] = tubes
    write_bytes(path, python2_pickle(content))


# ------------------------------------------------------------------ pickles
class _Python2Pickler(pickle._Pickler):
    """Protocol 2 in the opcodes and names that Python 2 wrote."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value: str | bytes) -> None:
        data = value.encode('latin-1') if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack('<i', len(data)) + data)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string


def python2_pickle(content: object) -> bytes:
    """What Python 2 with an old NumPy would have written."""
    buffer = io.BytesIO()
    _Python2Pickler(buffer, protocol=2).dump(content)
    # as the name of the module was
    return buffer.getvalue().replace(b'cnumpy._core.', b'cnumpy.core.')
