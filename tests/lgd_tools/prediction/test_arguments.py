"""CONFIG and CHECKPOINT, or CHECKPOINT alone."""

from pathlib import Path

import pytest

from lgd_tools.cli import ToolError
from lgd_tools.prediction import command, export


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run: its config and a checkpoint."""
    for name in ('mine.py', 'epoch_1.pth'):
        (tmp_path / name).touch()
    return tmp_path


def test_a_checkpoint_alone_finds_its_config(run):
    checkpoint, config = str(run / 'epoch_1.pth'), str(run / 'mine.py')
    for given in ([checkpoint], [config, checkpoint]):
        args = export.parse([*given, '--out', 'a.onnx'])
        assert (args.config, args.checkpoint) == (config, checkpoint)
        # options may stand between the inputs
        args = command.parse_args([*given, 'a.mp4', '--topk', '3', 'b', 'c'])
        assert (args.config, args.checkpoint) == (config, checkpoint)
        assert args.inputs == ['a.mp4', 'b', 'c'] and args.topk == 3


def test_which_config_is_not_guessed(run):
    checkpoint = str(run / 'epoch_1.pth')
    (run / 'other.py').touch()
    with pytest.raises(ToolError, match=r'2 configs lie .* give its config'):
        export.parse([checkpoint, '--out', 'a.onnx'])
    (run / 'epoch_1.pth').unlink()
    with pytest.raises(ToolError, match=r'checkpoint .* does not exist'):
        export.parse([checkpoint, '--out', 'a.onnx'])


def test_what_is_missing_is_said(run, capsys):
    for given in ([], ['mine.py', 'a.pth'], [str(run / 'epoch_1.pth')]):
        with pytest.raises(SystemExit) as end:
            command.parse_args(given)
        assert end.value.code == 2
    said = capsys.readouterr().err
    assert 'required: CHECKPOINT, INPUT' in said
    assert 'give CONFIG and CHECKPOINT, or CHECKPOINT alone' in said
