"""Stock inference, counts and Grad-CAM on a network that stock tools train."""

import re
import runpy
from pathlib import Path

import pytest
import torch
from PIL import Image

from lgd_mmaction.launch.stock_tools import stock_tools_dir
from tests.stock_tools.conftest import Trained, run
from tests.warm import PYTHON

# one worker trains once for all of them
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('stock_tools')]


INFER = """
import sys
from mmaction.apis import (MMAction2Inferencer, inference_recognizer,
                           init_recognizer)
config, checkpoint, video = sys.argv[1:]
model = init_recognizer(config, checkpoint, device='cpu')
# as the inferencer, which takes one clip of a video
for step in model.cfg.test_pipeline:
    if step['type'] == 'SampleFrames':
        step['num_clips'] = 1
scores = inference_recognizer(model, video).pred_score
print('a', scores.tolist())
inferencer = MMAction2Inferencer(rec=config, rec_weights=checkpoint,
                                 device='cpu')
out = inferencer(video)['predictions'][0]
print('b', out['rec_scores'][0])
"""


def test_inference_on_a_clip(trained: Trained, tmp_path: Path) -> None:
    video = sorted(trained.videos.rglob('*.mp4'))[0]
    done = run(
        PYTHON, '-c', INFER, trained.config, trained.checkpoint,
        video, cwd=tmp_path,
    )  # fmt: skip
    a, b = (
        eval(re.findall(rf'^{name} (\[.*\])$', done.stdout, re.M)[0])
        for name in 'ab'
    )
    assert len(a) == 2 and sum(a) == pytest.approx(1, abs=1e-4)
    assert a == pytest.approx(b, abs=1e-5)


def test_get_flops(trained: Trained, tmp_path: Path) -> None:
    done = run(
        PYTHON,
        stock_tools_dir() / 'analysis_tools' / 'get_flops.py',
        trained.config,
        '--shape',
        '1',
        '3',
        '4',
        '32',
        '32',
        cwd=tmp_path,
    )
    flops, params = re.search(
        r'Flops: ([\d.]+)M?\w*\s+Params: ([\d.]+)', done.stdout
    ).groups()
    assert float(flops) > 0 and float(params) > 0
    # the tool reads the config's numbers, so does this
    from mmaction.registry import MODELS
    from mmengine.config import Config

    model = MODELS.build(Config.fromfile(trained.config).model)
    count = sum(p.numel() for p in model.backbone.parameters())
    assert float(params) == pytest.approx(count / 1e6, rel=0.01)


def test_grad_cam_on_an_lgd_block(trained: Trained, tmp_path: Path) -> None:
    """vis_cam.py writes a gif; its map differs by place."""
    video = sorted(trained.videos.rglob('*.mp4'))[0]
    script = stock_tools_dir() / 'visualizations' / 'vis_cam.py'
    layer = 'backbone/layer4/1/local_out'
    run(
        PYTHON,
        script,
        trained.config,
        trained.checkpoint,
        video,
        '--device',
        'cpu',
        '--target-layer-name',
        layer,
        '--out-filename',
        tmp_path / 'cam.gif',
        cwd=tmp_path,
    )
    with Image.open(tmp_path / 'cam.gif') as gif:
        assert gif.n_frames == 12  # 3 clips of 4 frames
    from mmaction.apis import init_recognizer
    from mmaction.utils import GradCAM

    vis_cam = runpy.run_path(str(script))
    model = init_recognizer(
        str(trained.config), str(trained.checkpoint), device='cpu'
    )
    inputs = vis_cam['build_inputs'](model, str(video))
    images, scores = GradCAM(model, layer)(inputs)
    assert images.shape[-1] == 3 and torch.isfinite(images).all()
    assert images.std() > 0
    assert scores.shape[-1] == 2
