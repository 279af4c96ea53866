"""A config for own videos, fitted to what folder.py saw."""

import argparse
import math
import os
import random
import statistics
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from string import Template

from lgd_tools.cli import ToolError, warn, write_text
from lgd_tools.lists.clips import Clip, run_threads

# recipe -> largest batch, steps of a training (of at most 100 epochs)
RECIPES = {'lgd3d': (8, 2000), 'lgd2d': (16, 2000), 'small': (16, 400)}
EPOCHS = 15, 100
VALIDATIONS = 20
_LOOKED_AT = 64  # clips whose frames are counted
# of at most 15 lines
CONFIG = Template("""\
# $train + $val clips of $classes classes, most of $frames frames or more; \
by tools/data/folder.py
_base_ = $base$start
model = dict(cls_head=dict(num_classes=$classes)$backbone)
__fit = $fit
train_pipeline, val_pipeline, test_pipeline = (
    [{**step, **__fit.get(step['type'], {})} for step in steps]
    for steps in (\
_base_.train_pipeline, _base_.val_pipeline, _base_.test_pipeline))
__data = dict(data_root='{{ fileDirname }}', data_prefix=dict(video='videos'))
train_dataloader = dict(batch_size=$batch, dataset=dict(\
ann_file='${name}_train_list_videos.txt', pipeline=train_pipeline, **__data))
val_dataloader = dict(dataset=dict(\
ann_file='${name}_val_list_videos.txt', pipeline=val_pipeline, **__data))
test_dataloader = dict(dataset=dict(\
ann_file='${name}_val_list_videos.txt', pipeline=test_pipeline, **__data))
train_cfg = dict(max_epochs=$epochs, val_interval=$interval)
param_scheduler = [_base_.param_scheduler[0], \
{**_base_.param_scheduler[1], 'T_max': $epochs, 'end': $epochs}]
custom_hooks = [dict(type='TwoStageHook', switch_epoch=$switch), \
_base_.custom_hooks[1]]
""")


def default_recipe() -> str:
    """'lgd3d' on a machine with an NVIDIA GPU, else 'small'."""
    return 'lgd3d' if os.path.exists('/dev/nvidiactl') else 'small'


def recipe_of(checkpoint: Path) -> tuple[str, int]:
    """Recipe and depth of the network of ours that a checkpoint is of."""
    from lgd_mmaction.pickles import load_weights

    state = load_weights(checkpoint, mmap=True)
    state = state.get('state_dict', state) if isinstance(state, dict) else {}
    names = [str(name).removeprefix('backbone.') for name in state]
    units = {n.split('.')[1] for n in names if n.startswith('layer3.')}
    stem = [state[n].shape[0] for n in state if 'conv1.conv' in str(n)][:1]
    depth = {2: 18, 6: 50, 23: 101}.get(len(units))
    small = depth == 18 and stem == [16]
    ours = any('.diffusion.' in name for name in names)
    if not ours or depth is None or depth == 18 and not small:
        raise ToolError(
            f'{checkpoint} is not of LGD-2D, LGD-3D or the small LGD-3D of '
            'this project: leave --checkpoint out'
        )
    if small:
        return 'small', depth
    factors = any('.temporal' in name for name in names)
    return 'lgd3d' if factors else 'lgd2d', depth


def _frames_of(clip: Clip) -> int:
    # decoders: not for --help
    from lgd_tools.jobs import JobError
    from lgd_tools.video import probe

    try:
        return probe(clip.root / clip.path)[0]
    except JobError:
        return 0


def usual_frames(clips: Sequence[Clip], workers: int) -> int:
    """Frames that four of five clips have, from a look at some of them."""
    some = random.Random(0).sample(list(clips), min(len(clips), _LOOKED_AT))
    found = run_threads(_frames_of, some, workers, 'counting frames')
    counts = sorted(n for n in found if n)
    if not counts:
        warn(
            f'none of {len(some)} clips can be opened, so the config is for '
            'videos of 16 frames: see tools/data/check_videos.py'
        )
        return 16
    return int(statistics.quantiles([counts[0], *counts], n=5)[0])


def sampling(frames: int) -> dict[str, int]:
    """``SampleFrames`` that spans most of a short video, 64 frames of others.

    Where a video is shorter than 16 frames, clips are of 8.
    """
    clip_len = 16 if frames >= 16 else 8
    return dict(clip_len=clip_len, frame_interval=min(max(1, frames // 20), 4))


def schedule(clips: int, recipe: str) -> tuple[int, int]:
    """Batch size, of nearly equal batches, and epochs for so many clips."""
    largest, steps = RECIPES[recipe]
    batches = math.ceil(clips / largest)
    epochs = math.ceil(steps / batches)
    return math.ceil(clips / batches), min(max(epochs, EPOCHS[0]), EPOCHS[1])


def configs_folder() -> Path:
    """Where the installed package keeps its configs."""
    package = Path(find_spec('lgd_mmaction').origin).parent
    return (package / '.mim' / 'configs').resolve()


def write_config(
    args: argparse.Namespace,
    depth: int | None,
    classes: int,
    counts: tuple[int, int],
    frames: int,
) -> Path:
    """Write ``<name>.py`` beside the lists; see configs/_base_/own_*.py.

    ``depth`` is of the network in ``--checkpoint``, ``counts`` are the clips
    for training and validation, ``frames`` is of :func:`usual_frames`.
    """
    batch, epochs = schedule(counts[0], args.recipe)
    start = backbone = ''
    if args.checkpoint:
        start = f'\nload_from = {str(args.checkpoint.resolve())!r}'
        backbone = f', backbone=dict(depth={depth}, pretrained=None)'
    fit = {'Flip': dict(flip_ratio=0 if args.keep_direction else 0.5)}
    if args.recipe != 'lgd2d':
        fit['SampleFrames'] = sampling(frames)
    base = configs_folder() / '_base_' / f'own_{args.recipe}.py'
    text = CONFIG.substitute(
        vars(args),
        base=repr(os.path.relpath(base, args.out.resolve())),
        train=counts[0],
        val=counts[1],
        classes=classes,
        frames=frames,
        start=start,
        backbone=backbone,
        fit=fit,
        batch=batch,
        epochs=epochs,
        interval=max(1, epochs // VALIDATIONS),
        switch=epochs // 2,
    )
    return write_text(args.out / f'{args.name}.py', text)


def write_fold(path: Path, number: int, folds: int) -> None:
    """Write the config of a fold, from 1, beside that of `write_config`."""
    name, fold = path.stem, f'fold_{number}_videos.txt'
    text = f"""\
# Fold {number} of {folds}. No early stopping, which looks at the tested clips.
_base_ = '{path.name}'
train_dataloader = dict(dataset=dict(ann_file='{name}_train_{fold}'))
val_dataloader = dict(dataset=dict(ann_file='{name}_val_{fold}'))
test_dataloader = dict(dataset=dict(ann_file='{name}_val_{fold}'))
custom_hooks = _base_.custom_hooks[:1]
"""
    write_text(path.with_stem(f'{name}_fold_{number}'), text)
