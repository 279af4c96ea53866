"""Stock feature extraction with the neck PooledPair."""

import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from lgd_mmaction.launch.stock_tools import stock_tools_dir
from lgd_mmaction.models.diffusion_neck import PooledPair
from lgd_tools.prediction.recognizer import load_recognizer
from lgd_tools.results.global_path import read_clip
from lgd_tools.video import write_video
from tests.lgd_tools.tiny_recognizer import write_tiny
from tests.warm import PYTHON


def test_local_mean_then_global() -> None:
    x, g = torch.randn(2, 3, 4, 5, 6), torch.randn(2, 3, 1, 1, 1)
    out, losses = PooledPair()((x, g))
    assert losses == {}
    torch.testing.assert_close(out[:, :3], x.mean((2, 3, 4)))
    assert torch.equal(out[:, 3:], g[:, :, 0, 0, 0])


@pytest.mark.slow
def test_the_stock_command_writes_both_paths(
    tmp_path: Path, repo_root: Path
) -> None:
    config, checkpoint = write_tiny(tmp_path, repo_root, stage=2)
    frames = np.random.randint(0, 256, (8, 32, 32, 3), np.uint8)
    write_video(tmp_path / 'a.mp4', frames)
    (tmp_path / 'list.txt').write_text('a.mp4 0\n')
    done = subprocess.run(
        [
            PYTHON,
            stock_tools_dir() / 'misc' / 'clip_feature_extraction.py',
            config, checkpoint, tmp_path / 'out',
            '--video-list', tmp_path / 'list.txt',
            '--cfg-options', 'model.neck.type=PooledPair',
            f'test_dataloader.dataset.data_prefix.video={tmp_path}',
            'test_dataloader.num_workers=0',
            'test_dataloader.persistent_workers=False',
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    feature = pickle.loads((tmp_path / 'out' / 'a.mp4.pkl').read_bytes())
    model, cfg = load_recognizer(str(config), str(checkpoint))
    clip, _ = read_clip(model, cfg, str(tmp_path / 'a.mp4'))
    with torch.no_grad():
        expected = PooledPair()(model.backbone(clip))[0][0]
    torch.testing.assert_close(torch.as_tensor(feature), expected)
