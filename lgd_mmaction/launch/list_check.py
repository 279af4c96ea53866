"""Look at the lists of a config before its model is built.

Seconds, also for 500,000 clips: lines are counted and compared, and of videos
as many are opened as a time budget allows.
"""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config

from lgd_mmaction.errors import ConfigError, DataError
from lgd_mmaction.video.errors import BrokenVideoError
from lgd_mmaction.video.reader import Video

_BUDGET = 3.0  # seconds for opening videos
_NAMED = 5
_VIDEOS = 'VideoDataset', 'RobustVideoDataset'
_FRAMES = 'RawframeDataset', 'RobustRawframeDataset'
_PARTS = {'train': 'training', 'val': 'validation', 'test': 'test'}
Row = tuple[str, int, list[str]]  # path, frames (0: unknown), labels


def check_lists(cfg: Config, test: bool = False) -> None:
    """Check what the lists say against the model and each other.

    A label without a class and an epoch without a step are errors. Classes
    without clips, clips trained and validated on, and clips shorter than
    what is sampled are warnings: one sentence each on stderr.

    Args:
        cfg: The config with all options merged, its files there.
        test: Whether the run tests (else it trains, and validates).

    Raises:
        DataError: A label is outside of num_classes.
        ConfigError: ``drop_last`` leaves no step.
    """
    model = cfg.get('model') or {}
    classes = (model.get('cls_head') or {}).get('num_classes')
    rows: dict[str, list[Row]] = {}
    for part in ('test',) if test else ('train', 'val'):
        loader = cfg.get(f'{part}_dataloader') or {}
        dataset = loader.get('dataset') or {}
        root, lines = dataset.get('data_root'), dataset.get('ann_file')
        if dataset.get('type') not in _VIDEOS + _FRAMES:
            continue
        if not Path(root or '', lines or '').is_file():
            continue  # the data set says so
        rows[part] = list(_read(dataset))
        if classes and not dataset.get('multi_class'):
            _check_labels(dataset, rows[part], classes, part == 'train')
        if part == 'train':
            _check_steps(loader, len(rows[part]))
        _check_lengths(dataset, rows[part], part)
    _check_leak(rows.get('train', []), rows.get('val', []))


def _say(sentence: str) -> None:
    if os.environ.get('RANK', '0') == '0':
        print(f'warning: {sentence}', file=sys.stderr)


def _read(dataset: dict) -> Iterator[Row]:
    """The lines that have the usual shape; the data set judges the others."""
    prefix = dataset.get('data_prefix') or {}
    is_video = dataset['type'] in _VIDEOS
    root = Path(dataset.get('data_root') or '')
    folder = root / (prefix.get('video' if is_video else 'img') or '')
    with open(root / dataset['ann_file'], errors='replace') as file:
        for line in filter(str.strip, file):
            path, *rest = line.split()
            frames = 0
            if not is_video and rest:
                numbers = 1 + bool(dataset.get('with_offset'))
                frames, rest = rest[:numbers][-1], rest[numbers:]
            if str(frames).isdecimal():
                yield os.path.join(folder, path), int(frames), rest


def _check_labels(
    dataset: dict, rows: list[Row], classes: int, train: bool
) -> None:
    found = Counter(label for _, _, labels in rows for label in labels)
    numbers = {int(label) for label in found if label.isdecimal()}
    outside = sorted(n for n in numbers if n >= classes)
    if outside:
        count = sum(found[str(n)] for n in outside)
        raise DataError(
            f'{dataset["ann_file"]}: {count} clips have a label outside of 0 '
            f'to {classes - 1}, the largest is {outside[-1]}: set '
            f'model.cls_head.num_classes={outside[-1] + 1} (it is {classes}), '
            'or correct the list; labels count from 0'
        )
    empty = sorted(set(range(classes)) - numbers)
    if train and numbers and empty:
        some = ', '.join(map(str, empty[:_NAMED]))
        some += ', ...' * (len(empty) > _NAMED)
        _say(
            f'{dataset["ann_file"]}: {len(empty)} of {classes} classes have '
            f'no training clip ({some}) and will not be learnt'
        )


def _check_steps(loader: dict, clips: int) -> None:
    batch = loader.get('batch_size') or 1
    whole = batch * int(os.environ.get('WORLD_SIZE', '1'))
    if loader.get('drop_last') and clips < whole:
        raise ConfigError(
            f'{clips} training clips do not fill one batch of {whole}, and '
            'train_dataloader.drop_last leaves smaller ones out: set it to '
            'False, or take a smaller batch_size'
        )


def _check_lengths(dataset: dict, rows: list[Row], part: str) -> None:
    steps = {s.get('type'): s for s in dataset.get('pipeline') or ()}
    step = steps.get('SampleFrames') or steps.get('UniformSample') or {}
    span = (step.get('clip_len', 1) - 1) * step.get('frame_interval', 1) + 1
    if dataset['type'] in _VIDEOS:
        if step.get('target_fps'):  # depends on each video's own rate
            return
        counts = list(_frames_of([path for path, _, _ in rows]))
    else:
        counts = [frames for _, frames, _ in rows]
    short = sum(count < span for count in counts)
    if short:
        looked = len(counts) < len(rows)
        _say(
            f'{dataset["ann_file"]}: {short} of '
            f'{len(counts)} {_PARTS[part]} clips'
            f'{" that were looked at" if looked else ""} are shorter than '
            f'the {span} frames that are sampled, so frames will be repeated: '
            'sample fewer (clip_len, frame_interval), or leave them out '
            '(--min-frames of tools/data)'
        )


def _frames_of(paths: list[str]) -> Iterator[int]:
    """Numbers of frames, of some videos, until the time is over."""
    end = time.monotonic() + _BUDGET
    for path in random.Random(0).sample(paths, len(paths)):
        try:
            with Video(path) as video:
                yield video.num_frames
        except BrokenVideoError:
            pass  # the data set counts and replaces these
        if time.monotonic() > end:
            return


def _check_leak(train: list[Row], val: list[Row]) -> None:
    trained = {path for path, _, _ in train}
    both = [path for path, _, _ in val if path in trained]
    if both:
        _say(
            f'{len(both)} of {len(val)} validation clips are trained on too, '
            f'for example {both[0]}: their accuracy says nothing about other '
            'videos'
        )
