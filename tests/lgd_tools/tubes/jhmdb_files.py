"""A small J-HMDB in each of its formats; what its tests share."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
from scipy.io import savemat

from lgd_mmaction.detection.annotations import load_tubes
from lgd_tools.tubes import jhmdb

CLASSES = ('brush_hair', 'catch', 'climb_stairs')
WIDTH, HEIGHT = 40, 30
# name: (frames, split 1, split 2); code 1 train, 2 test
VIDEOS = {
    'brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0': (5, 1, 2),
    'brush_hair/a_b_0': (4, 2, 1),
    'catch/Goalkeeper_@_7_catch_(1)': (3, 1, 2),
    'catch/b_1': (6, 2, 1),
    'climb_stairs/c_00002': (1, 1, 1),
    'climb_stairs/d_3': (2, 2, 2),
}
BRUSH, CLIMB = 'brush_hair/a_b_0', 'climb_stairs/c_00002'


def truth() -> dict[str, np.ndarray]:
    """Edges (F, 4) of every video, whole numbers; some at the borders."""
    rng = np.random.default_rng(0)
    boxes = {}
    for name, (frames, *_) in VIDEOS.items():
        low = rng.integers(0, (20, 15), (frames, 2))
        high = low + rng.integers(1, (20, 15), (frames, 2))
        boxes[name] = np.hstack([low, high])
    boxes[BRUSH][1] = 0, 0, WIDTH, HEIGHT
    boxes[BRUSH][2] = WIDTH - 1, HEIGHT - 1, WIDTH, HEIGHT
    boxes[BRUSH][3] = 0, 0, 1, 1
    return boxes


def write_splits(folder: Path, splits: tuple = (1, 2)) -> Path:
    folder.mkdir(parents=True)
    for split in splits:
        for class_name in CLASSES:
            lines = [
                f'{name.split("/")[1]}.avi {VIDEOS[name][split]}'
                for name in VIDEOS
                if name.startswith(f'{class_name}/')
            ]
            path = folder / f'{class_name}_test_split{split}.txt'
            path.write_bytes(('\r\n'.join(lines) + ' \r\n\r\n').encode())
    return folder


def write_boxes(folder: Path, boxes: dict) -> Path:
    folder.mkdir()
    for name, edges in boxes.items():
        label = CLASSES.index(name.split('/')[0]) + 1
        # pixels from 1, both ends included
        pixels = np.asarray(edges) + [1, 1, 0, 0]
        for i, box in enumerate(pixels, 1):
            path = folder / f'{name.replace("/", "_")}_{i:05d}.txt'
            path.write_text(f'{label} {" ".join(f"{x:g}" for x in box)}\n')
    return folder


def write_masks(folder: Path, boxes: dict) -> Path:
    for name, edges in boxes.items():
        mask = np.zeros((HEIGHT, WIDTH, len(edges)), np.uint8)
        for i, (x1, y1, x2, y2) in enumerate(edges):
            # two corners are enough
            mask[y1, x1, i] = mask[y2 - 1, x2 - 1, i] = 1
        path = folder / name / 'puppet_mask.mat'
        path.parent.mkdir(parents=True)
        # MATLAB stores a single frame as a matrix
        mask = mask[:, :, 0] if len(edges) == 1 else mask
        savemat(path, {'part_mask': mask, 'other': 1}, do_compression=True)
    return folder


def act_content(boxes: dict) -> dict:
    def videos(code: int) -> list[list[str]]:
        return [[n for n in VIDEOS if VIDEOS[n][s] == code] for s in (1, 2)]

    labels = list(reversed(CLASSES))
    content = {
        'labels': labels,
        'gttubes': {},
        'nframes': {name: len(edges) for name, edges in boxes.items()},
        'train_videos': videos(1),
        'test_videos': videos(2),
        'resolution': dict.fromkeys(boxes, (HEIGHT, WIDTH)),
    }
    for name, edges in boxes.items():
        frames = np.arange(1, len(edges) + 1)[:, None]
        # pixels from 0, both ends included
        tube = np.hstack([frames, np.asarray(edges) - [0, 0, 1, 1]])
        label = labels.index(name.split('/')[0])
        content['gttubes'][name] = {label: [tube.astype(np.float32)]}
    return content


def write_act(path: Path, content: dict) -> Path:
    path.write_bytes(pickle.dumps(content, 2))
    return path


def zipped(folder: Path) -> Path:
    path = folder.with_suffix('.zip')
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
        for item in sorted(folder.rglob('*')):
            file.write(item, item.relative_to(folder.parent))
        file.writestr(f'__MACOSX/{folder.name}/._x.txt', b'\0')
    return path


def convert(out: Path, *argv: object) -> int:
    words = (*argv, '--out', out, '--num-classes', 3, '--workers', 2)
    return jhmdb.main([str(word) for word in words])


def edges(tmp_path: Path, name: str = BRUSH) -> list:
    video = load_tubes(tmp_path / 'o' / 'jhmdb_tubes.json').videos[name]
    return [(t.start, t.boxes.tolist()) for t in video.tubes]
