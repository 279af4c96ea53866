"""Look at what a config names before its model is built.

Seconds, also for lists of 500,000 clips: lines are counted and compared, and
of videos as many are opened as a time budget allows.
"""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmaction.registry import MODELS
from mmengine.config import Config

from lgd_mmaction.errors import CheckpointError, ConfigError, DataError
from lgd_mmaction.pickles import load_weights
from lgd_mmaction.video.errors import BrokenVideoError
from lgd_mmaction.video.reader import Video

_BUDGET = 3.0  # seconds for opening videos
_VIDEOS = 'VideoDataset', 'RobustVideoDataset'
_FRAMES = 'RawframeDataset', 'RobustRawframeDataset'
_PARTS = {'train': 'training', 'val': 'validation', 'test': 'test'}
Row = tuple[str, int, list[str]]  # path, frames (0: unknown), labels


def check_config(
    cfg: Config, test: bool = False, checkpoint: str | None = None
) -> None:
    """Check the lists, the head, and the checkpoints of a run.

    Classes without clips, clips trained and validated on, and clips shorter
    than what is sampled are warnings: one sentence each on stderr.

    Args:
        cfg: The config with all options of the command line merged.
        test: Whether the run tests (else it trains, and validates).
        checkpoint: The checkpoint that the command line of a test names.

    Raises:
        CheckpointError: A checkpoint is missing or unreadable.
        ConfigError: The head cannot take what an LGD network returns, the
            loader cannot take several clips of a video, or leaves no step.
        DataError: A label is outside of num_classes.
    """
    model = cfg.get('model') or {}
    _check_head(model)
    if checkpoint is not None:
        _check_checkpoint('the checkpoint argument', checkpoint)
    elif not test:
        _check_checkpoint('load_from', cfg.get('load_from'))
    if not test and not cfg.get('resume', False):
        _check_checkpoint(
            'model.backbone.pretrained',
            (model.get('backbone') or {}).get('pretrained'),
        )
    classes = (model.get('cls_head') or {}).get('num_classes')
    rows: dict[str, list[Row]] = {}
    for part in ('test',) if test else ('train', 'val'):
        loader = cfg.get(f'{part}_dataloader') or {}
        dataset = loader.get('dataset') or {}
        _check_collate(loader, dataset, part)
        if dataset.get('type') not in _VIDEOS + _FRAMES:
            continue
        root, lines = dataset.get('data_root'), dataset.get('ann_file')
        path = Path(root or '', lines or '')
        if not path.is_file():
            continue  # the data set says so
        rows[part] = list(_read(path, dataset))
        if classes and not dataset.get('multi_class'):
            _check_labels(dataset, rows[part], classes, part == 'train')
        if part == 'train':
            _check_steps(loader, len(rows[part]))
        _check_lengths(dataset, rows[part], part)
    _check_leak(rows.get('train', []), rows.get('val', []))


def _check_head(model: dict) -> None:
    """Refuse a stock head that takes one map where it gets (x_L, g_L)."""
    backbone, neck = model.get('backbone') or {}, model.get('neck') or {}
    kind = (model.get('cls_head') or {}).get('type')
    has_neck = neck.get('type') == 'DiffusionNeck'
    is_lgd = str(backbone.get('type')).startswith('LGD')
    if not (has_neck or is_lgd and backbone.get('diffusion', {}) is not None):
        return
    head = MODELS.get(kind) if isinstance(kind, str) else kind
    is_stock = getattr(head, '__module__', '').startswith('mmaction.')
    if is_stock and kind != 'SlowFastHead':
        raise ConfigError(
            f'cls_head.type={kind} takes one feature map, but '
            f'{"DiffusionNeck" if has_neck else backbone["type"]} returns the '
            'pair (local, global); use KernelizedHead, or SlowFastHead with '
            'the double of in_channels'
        )


def _check_checkpoint(where: str, name: Any) -> None:
    """Check that a local checkpoint exists and that torch reads it."""
    if not isinstance(name, str) or not name or '://' in name:
        return
    path = Path(name).expanduser()
    try:
        # mmap: only the structure is read, the weights stay on the disk
        content = load_weights(path, mmap=True)
    except CheckpointError as error:
        raise CheckpointError(f'{where}: {error}') from error
    if not isinstance(content, dict) or not content:
        raise CheckpointError(
            f'the checkpoint {path} holds no state dict ({where}) but '
            f'{type(content).__name__}; give a file that mmengine or '
            'torch.save(model.state_dict()) wrote'
        )


def _say(sentence: str) -> None:
    if os.environ.get('RANK', '0') == '0':
        print(f'warning: {sentence}', file=sys.stderr)


def _read(path: Path, dataset: dict) -> Iterator[Row]:
    """The lines that have the usual shape; the data set judges the others."""
    is_video = dataset['type'] in _VIDEOS
    prefix = dataset.get('data_prefix') or {}
    folder = Path(
        dataset.get('data_root') or '',
        prefix.get('video' if is_video else 'img') or '',
    )
    separator = dataset.get('delimiter') if is_video else None
    numbers = 0 if is_video else 1 + bool(dataset.get('with_offset'))
    with open(path, errors='replace') as file:
        for line in filter(str.strip, file):
            name, *rest = line.strip().split(separator)
            frames = rest[:numbers][-1] if rest[:numbers] else '0'
            if frames.isdecimal():
                clip = os.path.join(folder, name)
                yield clip, int(frames), rest[numbers:]


def _check_collate(loader: dict, dataset: dict, part: str) -> None:
    clips = dataset.get('clips_per_video', 1)
    collate = (loader.get('collate_fn') or {}).get('type')
    if clips > 1 and collate != 'spread_clips':
        raise ConfigError(
            f'clips_per_video={clips} gives lists of clips; set '
            f"{part}_dataloader.collate_fn=dict(type='spread_clips')"
        )


def _check_labels(
    dataset: dict, rows: list[Row], classes: int, train: bool
) -> None:
    found = Counter(
        int(label)
        for _, _, labels in rows
        for label in labels
        if label.isdecimal()
    )
    outside = [n for n in found if n >= classes]
    if outside:
        largest = max(outside)
        raise DataError(
            f'{dataset["ann_file"]}: {sum(found[n] for n in outside)} clips '
            f'have a label outside of 0 to {classes - 1}, the largest is '
            f'{largest}: set model.cls_head.num_classes={largest + 1} (it is '
            f'{classes}), or correct the list; labels count from 0'
        )
    empty = [str(n) for n in range(classes) if n not in found]
    if train and found and empty:
        some = ', '.join(empty[:5] + ['...'] * (len(empty) > 5))
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
    counts = [frames for _, frames, _ in rows]
    if dataset['type'] in _VIDEOS:
        if step.get('target_fps'):  # depends on each video's own rate
            return
        counts = list(_frames_of([path for path, _, _ in rows]))
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
