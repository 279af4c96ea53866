"""tools/export.py: the files give PyTorch's scores, or are not there."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch

from lgd_mmaction.errors import CheckpointError
from lgd_tools.cli import ToolError
from lgd_tools.prediction import deployment
from lgd_tools.prediction.export import main
from lgd_tools.prediction.recognizer import load_recognizer
from lgd_tools.video import write_video
from tests.lgd_tools.tiny_recognizer import write_tiny


@pytest.fixture
def tiny(tmp_path: Path, repo_root: Path):
    return write_tiny(tmp_path, repo_root, stage=2)


def export(tiny, out: Path, *options: str) -> int:
    return main([*map(str, tiny), '--out', str(out), *options])


@pytest.mark.slow
@pytest.mark.parametrize('sketch', ['fft', 'matmul'])
def test_onnx_gives_the_scores_of_the_recognizer(
    tiny, sketch, tmp_path, capsys
) -> None:
    import onnx
    import onnxruntime

    frames = np.random.randint(0, 256, (12, 40, 48, 3), np.uint8)
    write_video(tmp_path / 'clip.mp4', frames)
    out = tmp_path / 'a.onnx'
    assert export(
        tiny, out, '--with-preprocessing', '--sketch', sketch,
        '--video', str(tmp_path / 'clip.mp4'),
    ) == 0  # fmt: skip
    said = capsys.readouterr().out
    assert 'largest difference from PyTorch on 4 batches: ' in said
    assert f'wrote {out}' in said

    session = onnxruntime.InferenceSession(out)
    clips = torch.randint(256, (5, 3, 8, 32, 32), dtype=torch.uint8)
    (scores,) = session.run(['scores'], {'clip': clips.numpy()})
    model, _ = load_recognizer(*map(str, tiny))
    inputs = model.data_preprocessor(
        dict(inputs=[*clips[:, None]], data_samples=None)
    )['inputs']
    with torch.no_grad():
        expected = model(inputs, mode='tensor', stage='head').softmax(1)
    assert np.abs(scores - expected.numpy()).max() < 1e-5
    # they tell clips apart
    assert scores.std(0).max() > 1e-4
    used = {node.op_type for node in onnx.load(out).graph.node}
    assert ('DFT' in used) == (sketch == 'fft')


@pytest.mark.slow
def test_pt2_of_the_stage_that_is_asked_for(tiny, tmp_path, capsys) -> None:
    out = tmp_path / 'a.pt2'
    assert export(tiny, out, '--stage', '1', '--size', '24x16') == 0
    assert '(N, 3, 8, 16, 24), normalised' in capsys.readouterr().out
    run = torch.export.load(io.BytesIO(out.read_bytes())).module()
    clips = torch.randn(4, 3, 8, 16, 24)
    model, _ = load_recognizer(*map(str, tiny), stage=1)
    with torch.no_grad():
        expected = model(clips[:, None], mode='tensor', stage='head')
        torch.testing.assert_close(run(clips), expected.softmax(1))


@pytest.mark.parametrize(
    ('shift', 'batch', 'said'), [(2e-4, 2, '2.0e-04'), (np.nan, 1, 'nan')]
)
def test_a_file_that_differs_is_not_written(
    tiny, tmp_path, monkeypatch, shift, batch, said
) -> None:
    """In one batch of 2, 1 and 3 clips is enough, NaN too."""

    def shifted(data):
        model, _ = load_recognizer(*map(str, tiny))
        stock = deployment.Deployed(model, False)
        return lambda x: stock(x) + (shift if len(x) == batch else 0)

    monkeypatch.setitem(deployment.FORMATS, '.onnx', (lambda *_: b'', shifted))
    out = tmp_path / 'a.onnx'
    with pytest.raises(ToolError, match=f'a.onnx was not written: .* {said}'):
        export(tiny, out)
    assert not out.exists()


def test_what_is_wrong_is_named(tiny, tmp_path, repo_root) -> None:
    config, checkpoint = tiny
    out = tmp_path / 'a.onnx'
    with pytest.raises(ToolError, match='a.bin must end in .onnx or .pt2'):
        export(tiny, tmp_path / 'a.bin')
    with pytest.raises(ToolError, match='config .*absent.py does not exist'):
        export((tmp_path / 'absent.py', checkpoint), out)
    with pytest.raises(CheckpointError, match='absent.pth cannot be opened'):
        export((config, tmp_path / 'absent.pth'), out)
    other = repo_root / 'configs' / 'quickstart_lgd3d.py'
    unfit = 'epoch_1.pth does not fit .*give the config that it was trained'
    with pytest.raises(CheckpointError, match=unfit):
        export((other, checkpoint), out)
    torch.save(load_recognizer(*map(str, tiny))[0].state_dict(), checkpoint)
    config.write_text(config.read_text() + 'val_pipeline = []\n')
    with pytest.raises(ToolError, match='has no crop: give --size'):
        export(tiny, out)
