"""Which videos a generated detection data set has, and its true tubes."""

from collections.abc import Sequence

import numpy as np

from lgd_mmaction.detection.annotations import (
    Tube,
    TubeAnnotations,
    TubeVideo,
)
from lgd_tools.synthetic.tube_scenes import ACTIONS, Scene, plan_scene

_TEST_GROUPS, _GROUPS = 7, 25  # UCF101's split 1 tests groups 1 to 7


def plan_videos(
    style: str,
    train_per_class: int,
    test_per_class: int,
    size: Sequence[int],
    frames: Sequence[int],
    seed: int,
    version: int,
) -> tuple[dict[str, Scene], dict]:
    """Every video's scene by its name, and the names of each split.

    The arguments are those of `generate_tubes`; `version` goes into the
    seeds. J-HMDB's three splits test different videos, UCF101-24 has one.
    """
    trimmed = style == 'jhmdb'
    total = train_per_class + test_per_class
    numbers = ('1', '2', '3') if trimmed else ('1',)
    scenes, splits = {}, {k: {'train': [], 'test': []} for k in numbers}
    for action in ACTIONS:
        names = []
        for index in range(total):
            # the same for every class: a look must not tell the action, or
            # a network learns by heart who does what
            key = (version, seed, index)
            rng = np.random.default_rng([*key, 0])
            length = int(rng.integers(frames[0], frames[1] + 1))
            others, actors = int(rng.integers(0, 2)), int(rng.integers(1, 3))
            if trimmed:
                actors = 1
                name = f'{action}/shapes_{action}_u_nm_np1_fr_med_{index}'
            else:
                others = 1  # who acts must not be told by being alone
                name = _ucf_name(action, index, train_per_class)
            scenes[name] = plan_scene(
                action, tuple(size), length, (*key, 1), actors, others, trimmed
            )
            names.append(name)
        for split, subsets in splits.items():
            # split 1 tests the last videos, 2 and 3 others
            first = total - int(split) * test_per_class
            test = {names[(first + i) % total] for i in range(test_per_class)}
            subsets['train'] += [n for n in names if n not in test]
            subsets['test'] += [n for n in names if n in test]
    return scenes, splits


def _ucf_name(action: str, index: int, train: int) -> str:
    """Groups 8 to 25 train, 1 to 7 test, in turn."""
    if index < train:
        clip, group = divmod(index, _GROUPS - _TEST_GROUPS)
        group += _TEST_GROUPS
    else:
        clip, group = divmod(index - train, _TEST_GROUPS)
    action = action.capitalize()
    return f'{action}/v_{action}_g{group + 1:02d}_c{clip + 1:02d}'


def true_tubes(
    style: str, scenes: dict[str, Scene], splits: dict
) -> TubeAnnotations:
    """The annotation that a scene's boxes and actions amount to."""
    videos = {}
    for name, scene in scenes.items():
        (height, width), label = scene.size, ACTIONS.index(scene.action)
        tubes = []
        for shape in scene.shapes:
            when = np.flatnonzero(shape.acting)
            if len(when):
                boxes = shape.boxes(scene.size)[when].astype(np.float32)
                tubes.append(Tube(label, int(when[0]), boxes))
        size = scene.frames, width, height
        videos[name] = TubeVideo(name, *size, tuple(tubes))
    names = [n.capitalize() if style != 'jhmdb' else n for n in ACTIONS]
    return TubeAnnotations(style, tuple(names), splits, videos)
