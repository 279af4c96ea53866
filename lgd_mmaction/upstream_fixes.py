"""The only place that works around mmaction2, mmengine and their stack.

One small function per defect, with the thread it answers; where upstream is
fixed, it changes nothing. Nothing on disk changes.
"""

import functools
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any


@functools.cache  # once in a process
def apply_upstream_fixes() -> None:
    """Apply every fix of this module; called by ``import lgd_mmaction``."""
    provide_missing_drn()
    allow_mmengine_checkpoints()
    load_urls_as_weights()
    resume_without_code()
    load_yaml_as_data()
    allow_processes_on_cpu()
    flip_flow_fields()
    normalise_in_five_dimensions()


def provide_missing_drn() -> None:
    """Let ``import mmaction.models`` work with mmaction2 1.2.0 from PyPI.

    Wheel and sdist lack ``mmaction/models/localizers/drn``, which the package
    imports (https://github.com/open-mmlab/mmaction2/issues/2714).
    """
    folder = Path(find_spec('mmaction').origin).parent
    if (folder / 'models' / 'localizers' / 'drn').exists():
        return
    from mmaction.registry import MODELS

    @MODELS.register_module()
    def DRN(*args: Any, **kwargs: Any) -> None:
        raise ImportError(
            'DRN is not part of the mmaction2 release that is installed '
            '(open-mmlab/mmaction2 issue 2714); install mmaction2 from '
            'its git repository to use it.'
        )

    package = 'mmaction.models.localizers.drn'
    sys.modules[package] = ModuleType(package)
    sys.modules[f'{package}.drn'] = module = ModuleType(f'{package}.drn')
    module.DRN = DRN


def allow_mmengine_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read mmengine's checkpoints.

    mmengine saves its message hub: ``HistoryBuffer`` objects, the numpy arrays
    and scalars in them, and references to the buffer's methods
    (https://github.com/open-mmlab/mmengine/issues/1655), which weights_only
    refuses. Naming numpy's own types as safe would let a file make pointers
    out of its bytes, and ``getattr`` and ``bytes`` are too much as well; so
    narrow stand-ins take the place of all these.
    """
    import torch
    from mmengine.logging import HistoryBuffer

    from lgd_mmaction.pickles import ARRAYS, UnsafePickle

    class History:
        """Becomes a ``HistoryBuffer`` when it is given the saved arrays.

        The constructor would make arrays of whatever it is given, and lists
        of one list unfold to far more than the file.
        """

        def __init__(self, *_: Any) -> None:
            raise UnsafePickle('computes a HistoryBuffer')

        def __setstate__(self, state: dict) -> None:
            self.__class__ = HistoryBuffer
            self.__setstate__(state)

    def history_method(owner: Any, name: str) -> Any:
        statistics = 'min', 'max', 'current', 'mean'  # that are registered
        if owner is not History or name not in statistics:
            raise UnsafePickle(f'asks for attribute {str(name)[:40]!r}')
        return getattr(HistoryBuffer, name)

    names = ARRAYS | {
        'mmengine.logging.history_buffer.HistoryBuffer': History,
        # methods are pickled as getattr(HistoryBuffer, 'mean')
        'builtins.getattr': history_method,
    }
    del names['_codecs.encode']  # torch has its own
    torch.serialization.add_safe_globals(
        [(stand_in, name) for name, stand_in in names.items()]
    )


def resume_without_code() -> None:
    """Take no config, which is a program, out of a checkpoint.

    ``Runner.resume`` executes the text ``meta['config']`` of a checkpoint,
    and an inferencer that is given weights alone its ``cfg`` (seen in
    mmengine 0.10.7; no thread known). mmengine has written ``meta['cfg']``
    instead of ``config`` since its first release, so resuming loses nothing.
    """
    from mmengine.infer import BaseInferencer
    from mmengine.runner import Runner

    from lgd_mmaction.errors import ConfigError

    load, build = Runner.load_checkpoint, BaseInferencer._init_model

    def load_checkpoint(self: Any, *args: Any, **kwargs: Any) -> Any:
        checkpoint = load(self, *args, **kwargs)
        if isinstance(checkpoint.get('meta'), dict):
            checkpoint['meta'].pop('config', None)
        return checkpoint

    def init_model(self: Any, cfg: Any, *args: Any, **kwargs: Any) -> Any:
        if not cfg:
            raise ConfigError(
                'the config inside of a checkpoint is a program, which may '
                'come from anyone: give a config file (model=...) too.'
            )
        return build(self, cfg, *args, **kwargs)

    Runner.load_checkpoint = load_checkpoint
    BaseInferencer._init_model = init_model


def load_urls_as_weights() -> None:
    """Let a checkpoint behind a URL load with weights_only, as a file does.

    mmengine reads ``https://``, ``torchvision://`` and the like through
    ``torch.hub.load_state_dict_from_url``, which switches weights_only off
    unless told otherwise: whatever the server sends may run code (seen in
    mmengine 0.10.7 with torch 2.13; no thread known).
    """
    from mmengine.runner import checkpoint

    checkpoint.load_url = functools.partial(
        checkpoint.load_url, weights_only=True
    )


def load_yaml_as_data() -> None:
    """Let mmengine read YAML with the loader that makes plain data only.

    Its handler takes ``yaml.CLoader``, which calls any function that a tag
    such as ``!!python/object/apply:os.system`` names; a ``.yaml`` config or
    annotation is data and must not.
    """
    import yaml
    from mmengine.fileio.handlers import yaml_handler

    yaml_handler.Loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)


def flip_flow_fields() -> None:
    """Let ``Flip`` mirror optical flow as a field: x negated, y kept.

    Since https://github.com/open-mmlab/mmaction2/pull/2631 a frame of flow
    is one picture with two channels. ``Flip`` still takes every second one of
    the list for an x picture: it inverts both channels of even frames and
    none of odd ones.
    """
    from mmaction.datasets.transforms import Flip
    from mmcv.image import imflip_

    stock = Flip._flip_imgs

    def flip_imgs(self: Any, imgs: list, modality: str) -> list:
        if modality != 'Flow' or any(i.shape[2:] != (2,) for i in imgs):
            return stock(self, imgs, modality)
        for img in imgs:  # (H, W, 2)
            imflip_(img, self.direction)  # horizontal: Flip asserts it
            # 127.5 of 0 .. 255 is no motion: 255 - x is the opposite one
            img[..., 0] = 255 - img[..., 0]
        return imgs

    Flip._flip_imgs = flip_imgs


def normalise_in_five_dimensions() -> None:
    """Let ``recognizer.to(memory_format=torch.channels_last_3d)`` work.

    ``mean`` and ``std`` of ActionDataPreprocessor are (C, 1, 1, 1), and
    torch gives this layout to every tensor of 4 or 5 dimensions, which those
    of 4 refuse (seen; no thread known). As (1, C, 1, 1, 1) they broadcast
    alike; they are in no checkpoint.
    """
    from mmaction.models.data_preprocessors import ActionDataPreprocessor

    stock = ActionDataPreprocessor.__init__

    @functools.wraps(stock)  # its arguments are looked up
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        stock(self, *args, **kwargs)
        for name in ('mean', 'std'):
            value = getattr(self, name, None)
            if value is not None and value.ndim == 4:
                setattr(self, name, value.unsqueeze(0))

    ActionDataPreprocessor.__init__ = init


def allow_processes_on_cpu() -> None:
    """Let several processes train and test on a machine without GPUs.

    With the gloo backend mmengine 0.10.7 still calls torch.cuda.set_device,
    which fails without CUDA, and names a GPU to DistributedDataParallel, which
    refuses that for a model on the CPU (seen; no thread known).
    """
    import torch
    from mmengine.device import get_device
    from mmengine.dist import utils
    from mmengine.model import MMDistributedDataParallel

    stock_init_dist = utils._init_dist_pytorch
    stock_init_ddp = MMDistributedDataParallel.__init__

    def init_dist(backend: str, *args: Any, **kwargs: Any) -> None:
        if backend != 'gloo' or get_device() != 'cpu':
            return stock_init_dist(backend, *args, **kwargs)
        kwargs.pop('init_backend', None)
        torch.distributed.init_process_group(backend=backend, **kwargs)

    def init_ddp(self: Any, module: Any, *args: Any, **kwargs: Any) -> None:
        if all(p.device.type == 'cpu' for p in module.parameters()):
            kwargs['device_ids'] = None
        stock_init_ddp(self, module, *args, **kwargs)

    utils._init_dist_pytorch = init_dist
    MMDistributedDataParallel.__init__ = init_ddp


def score_frames_without_boxes() -> None:
    """Let ``BBoxHeadAVA`` score no boxes at all: a (0, classes) tensor.

    Its ``x.view(x.size(0), -1)`` cannot reshape a tensor without elements,
    so a tested frame in which the person detector saw nobody ends the test
    (mmaction2 1.2.0, seen; no thread known). On a GPU the RoIAlign before it
    would end it too: its kernel is launched for no box, which CUDA refuses
    (mmcv 2.1.0, read, not seen; mmdet's own extractor guards against it).
    Called by models/roi.py, where mmdet and mmcv's operators are there.
    """
    from mmaction.models.roi_heads.bbox_heads import BBoxHeadAVA
    from mmaction.models.roi_heads.roi_extractors import SingleRoIExtractor3D

    score, pool = BBoxHeadAVA.forward, SingleRoIExtractor3D.forward

    def score_any(self: Any, x: Any) -> Any:
        # x: (boxes, C, T, h, w)
        return score(self, x) if len(x) else x.new_zeros(0, self.num_classes)

    def pool_any(self: Any, feat: Any, rois: Any) -> Any:
        # rois: (boxes, 5)
        if len(rois):
            return pool(self, feat, rois)
        pooled, whole = pool(self, feat, rois.new_zeros(1, 5))
        return pooled[:0], whole

    BBoxHeadAVA.forward = score_any
    SingleRoIExtractor3D.forward = pool_any
