"""What a runtime gets of a recognizer: one function of clips."""

import copy
import io
import logging
import timeit
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch import Tensor, nn

from lgd_mmaction.models.kernelized_head import KernelizedHead
from lgd_mmaction.models.matmul_sketch import MatmulSketch
from lgd_tools.cli import ToolError, require_file

TOLERANCE = 1e-4
Run = Callable[[Tensor], Tensor]


class Deployed(nn.Module):
    """The scores of clips, (N, C, T, H, W) -> (N, K), each by itself.

    As the recognizer, in evaluation mode, computes them: probabilities for
    ``average_clips='prob'``. ``preprocess``: take uint8 and normalise here.
    """

    def __init__(self, recognizer: nn.Module, preprocess: bool) -> None:
        super().__init__()
        self.recognizer = recognizer
        self.preprocess = preprocess

    def forward(self, clip: Tensor) -> Tensor:
        if self.preprocess:
            clip = self.normalised(clip)
        scores = self.recognizer(clip[:, None], mode='tensor', stage='head')
        if self.recognizer.cls_head.average_clips == 'prob':
            return scores.softmax(1)
        return scores

    def normalised(self, clip: Tensor) -> Tensor:
        """(N, C, T, H, W), 0 .. 255 -> what the network was trained on."""
        do = self.recognizer.data_preprocessor
        if do.to_rgb:
            clip = clip.flip(1)
        clip = clip.float()
        return (clip - do.mean) / do.std if do._enable_normalize else clip


def without_limits(deployed: Deployed, matmul: bool) -> Deployed:
    """A copy whose sketch takes a batch of any size; matmul: without FFT."""
    deployed = copy.deepcopy(deployed)
    head = deployed.recognizer.cls_head
    if isinstance(head, KernelizedHead):
        head.sketch.chunk = None
        if matmul:
            head.sketch = MatmulSketch(head.sketch)
    return deployed


# ------------------------------------------------------------------ formats
def to_onnx(deployed: Deployed, clip: Tensor) -> bytes:
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ToolError(
            f'ONNX needs {error.name}: pip install onnx onnxscript onnxruntime'
        ) from error
    # it would name every operator of torchvision that is not there
    exporter = 'torch.onnx._internal.exporter._registration'
    logging.getLogger(exporter).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the exporter's own calls
        program = torch.onnx.export(
            deployed,
            (clip,),
            dynamo=True,
            dynamic_shapes=({0: 'batch'},),
            input_names=['clip'],
            output_names=['scores'],
            verbose=False,
        )
    return program.model_proto.SerializeToString()


def run_onnx(data: bytes) -> Run:
    import onnxruntime

    cpu = ['CPUExecutionProvider']
    session = onnxruntime.InferenceSession(data, providers=cpu)
    return lambda clip: torch.from_numpy(
        session.run(None, {'clip': clip.numpy()})[0]
    )


def to_pt2(deployed: Deployed, clip: Tensor) -> bytes:
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    program = torch.export.export(deployed, (clip,), dynamic_shapes=dynamic)
    file = io.BytesIO()
    torch.export.save(program, file)
    return file.getvalue()


def run_pt2(data: bytes) -> Run:
    return torch.export.load(io.BytesIO(data)).module()


FORMATS = {'.onnx': (to_onnx, run_onnx), '.pt2': (to_pt2, run_pt2)}


# -------------------------------------------------------------------- check
def crop_size(cfg: Config) -> tuple[int, int]:
    """(width, height) of the crop in val_pipeline."""
    for transform in cfg.get('val_pipeline', []):
        if 'crop_size' in transform:
            size = transform.crop_size
            return (size, size) if isinstance(size, int) else tuple(size)
    raise ToolError('val_pipeline has no crop: give --size WIDTHxHEIGHT')


def clip_length(cfg: Config) -> int:
    """Frames of a clip in the test pipeline."""
    for transform in cfg.test_pipeline:
        if 'clip_len' in transform:
            return transform.clip_len
    raise ToolError('no transform of test_pipeline has a clip_len')


def random_clips(shape: tuple) -> list[Tensor]:
    """Batches of 2, 1 and 3 clips, uint8."""
    rng = torch.Generator().manual_seed(0)
    return [
        torch.randint(256, (n, *shape), dtype=torch.uint8, generator=rng)
        for n in (2, 1, 3)
    ]


def read_clip(path: str, shape: tuple) -> Tensor:
    """One clip, its frames spread over a video, uint8 (1, 3, T, H, W)."""
    from lgd_mmaction.video.reader import Video

    channels, length, height, width = shape
    if channels != 3:
        raise ToolError('--video serves networks of RGB; leave it out')
    with Video(str(require_file(path, 'video'))) as video:
        indices = np.linspace(0, video.num_frames - 1, length).astype(int)
        frames = torch.from_numpy(video.frames(indices))  # (T, H', W', 3)
    clip = frames.movedim(3, 0)[None].float()
    return F.interpolate(clip, (length, height, width)).to(torch.uint8)


@torch.no_grad()
def difference(deployed: Deployed, run: Run, clips: list[Tensor]) -> float:
    """The largest one between two scores; NaN if there is one."""
    each = [(deployed(clip) - run(clip)).abs().max() for clip in clips]
    return float(torch.stack(each).max())


@torch.no_grad()
def seconds(runs: Sequence[Run], clip: Tensor) -> list[float]:
    """Of one pass of each, in turn; the best of five."""
    times = [
        [timeit.timeit(lambda run=run: run(clip), number=1) for run in runs]
        for _ in range(5)
    ]
    return [min(each) for each in zip(*times, strict=True)]
