"""A small UCF101-24 in both of its formats; what its tests share."""

import pickle
from pathlib import Path

import numpy as np

from lgd_mmaction.detection.annotations import load_tubes
from lgd_tools.tubes import ucf101_24

CLASSES = ('Basketball', 'SalsaSpin')
FIRST, SECOND = 'Basketball/v_Basketball_g01_c01', 'SalsaSpin/v_SalsaSpin_g02'
EMPTY = 'SalsaSpin/v_SalsaSpin_g03'
# name: (frames, [(label, start, edges)]); overlapping and later tubes
TRUTH = {
    FIRST: (
        200,
        [(0, 3, [[177, 53, 300, 238]] * 5), (0, 9, [[1, 1, 320, 240]] * 2)],
    ),
    SECOND: (
        300,
        [
            (1, 0, [[200, 100, 280, 200], [201, 100, 281, 201]]),
            (1, 0, [[5, 6, 9, 9]] * 300),
            (1, 299, [[250, 7, 319, 50]]),
        ],
    ),
    EMPTY: (10, []),
}


def pyannot() -> dict:
    """TRUTH as the real file holds it: x y w h, uint8 where it fits."""
    content = {}
    for name, (frames, tubes) in TRUTH.items():
        annotations = []
        for label, start, edges in tubes:
            boxes = np.array(edges)
            boxes[:, 2:] -= boxes[:, :2]
            kind = np.uint8 if boxes.max() < 256 else np.uint16
            annotations.append(
                {
                    'label': label,
                    'sf': start,
                    'ef': start + len(edges),
                    'boxes': boxes.astype(kind),
                }
            )
        content[name] = {
            'annotations': annotations,
            'numf': np.uint8(frames) if frames < 256 else np.uint16(frames),
            'label': CLASSES.index(name.split('/')[0]),
        }
    return content


def act() -> dict:
    """TRUTH in ACT's format: frames from 1, x y x+w y+h."""
    content = {
        'labels': list(CLASSES),
        'gttubes': {},
        'nframes': {name: frames for name, (frames, _) in TRUTH.items()},
        'train_videos': [[EMPTY, SECOND]],
        'test_videos': [[FIRST]],
        'resolution': dict.fromkeys(TRUTH, (240, 320)),
    }
    for name, (_, tubes) in TRUTH.items():
        for label, start, edges in tubes:
            frames = np.arange(len(edges))[:, None] + start + 1
            array = np.hstack([frames, edges]).astype(np.float32)
            of_video = content['gttubes'].setdefault(name, {})
            of_video.setdefault(label, []).append(array)
    return content


def dump(path: Path, content: object) -> Path:
    path.write_bytes(pickle.dumps(content, 2))
    return path


def convert(out: Path, *argv: object) -> int:
    words = (*argv, '--out', out, '--num-classes', 2)
    return ucf101_24.main([str(word) for word in words])


def run(
    tmp_path: Path, content: object, *more: object, test: str = FIRST
) -> int:
    path = dump(tmp_path / 'pyannot.pkl', content)
    names = tmp_path / 'testlist01.txt'
    names.write_text(test)  # no line end after the last, as in the real one
    argv = ('--pyannot', path, '--test-list', names, *more)
    return convert(tmp_path / 'o', *argv)


def result(folder: Path) -> dict:
    """Everything in an annotation file, as TRUTH has it."""
    tubes = load_tubes(folder / 'ucf101_24_tubes.json')
    assert tubes.dataset == 'ucf101_24' and tubes.classes == CLASSES
    assert {(v.width, v.height) for v in tubes.videos.values()} == {(320, 240)}
    return {
        name: (
            video.num_frames,
            [(t.label, t.start, t.boxes.tolist()) for t in video.tubes],
        )
        for name, video in tubes.videos.items()
    }
