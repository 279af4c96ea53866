"""Write tubes as J-HMDB's and UCF101-24's annotations are distributed.

The readers are jhmdb.py and ucf101_24.py.
"""

import pickle
from pathlib import Path

import numpy as np
from scipy.io import savemat

from lgd_mmaction.detection.annotations import TubeAnnotations
from lgd_mmaction.files import atomic_path, write_bytes
from lgd_tools.cli import write_lines


def write_jhmdb_splits(truth: TubeAnnotations, folder: Path) -> None:
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


def write_puppet_mask(path: Path, masks: np.ndarray) -> None:
    """`puppet_mask.mat` with `part_mask`, uint8 (H, W, T)."""
    how = dict(appendmat=False, do_compression=True)
    with atomic_path(path) as part:
        savemat(part, {'part_mask': masks}, **how)


def write_pyannot(truth: TubeAnnotations, path: Path) -> None:
    """`pyannot.pkl`, the corrected annotations: x y w h, `ef` exclusive.

    As in the real file, boxes are uint8 wherever they fit, so that x + w
    overflows unless it is cast first.
    """

    def small(value: np.ndarray | int) -> np.ndarray:
        value = np.asarray(value, np.uint16)
        return value.astype(np.uint8) if value.max() < 256 else value

    content = {}
    for video in truth.videos.values():
        tubes = []
        for tube in video.tubes:
            corners, ends = np.hsplit(tube.boxes, 2)
            boxes = small(np.hstack([corners, ends - corners]))
            time = dict(sf=tube.start, ef=tube.stop)
            tubes.append(dict(label=tube.label, **time, boxes=boxes))
        content[video.name] = {
            'annotations': tubes,
            'numf': small(video.num_frames)[()],
            'label': truth.classes.index(video.name.partition('/')[0]),
        }
    write_bytes(path, pickle.dumps(content, protocol=2))


def write_ucf_lists(truth: TubeAnnotations, folder: Path) -> None:
    """`testlist01.txt` and `trainlist01.txt`: lines `<class>/<video>`."""
    for subset in ('train', 'test'):
        names = sorted(truth.splits['1'][subset])
        write_lines(folder / f'{subset}list01.txt', names)
