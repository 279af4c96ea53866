"""tools/predict.py: the numbers of tools/test.py, and a sentence for slips."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lgd_mmaction.errors import CheckpointError, ConfigError
from lgd_mmaction.launch.stock_tools import run_stock_tool
from lgd_mmaction.video.reader import Video
from lgd_tools.cli import ToolError
from lgd_tools.prediction import camera, clips, command, outputs
from lgd_tools.results.scores import load_scores


def predict(trained, out: Path, *more: object, code: int = 0) -> dict:
    """The JSON of a run in this process."""
    argv = [trained.config, trained.checkpoint, *more, '--out', out]
    argv += ['--device', 'cpu', '--workers', 0]
    assert command.main([str(a) for a in argv]) == code
    return json.loads((out / 'predictions.json').read_text())


def scores_of(entry: dict) -> dict[str, float]:
    return {t['class']: t['score'] for t in entry['top']}


@pytest.mark.slow
def test_the_numbers_of_the_stock_test(trained, tmp_path, monkeypatch):
    dump = tmp_path / 'scores.pkl'
    argv = ['test.py', trained.config, trained.checkpoint, '--dump', dump]
    argv += ['--work-dir', tmp_path / 'wd', '--cfg-options']
    argv += ['test_dataloader.num_workers=0', 'test_dataloader.batch_size=1']
    argv += ['test_dataloader.persistent_workers=False']
    monkeypatch.setattr(sys, 'argv', [str(a) for a in argv])
    run_stock_tool('test.py')
    expected = load_scores(dump)
    assert len(expected.names) == 4
    for batch in (1, 3):
        found = predict(
            *(trained, tmp_path / f'out{batch}', *expected.names),
            *('--batch-size', batch),
        )
        assert [e['video'] for e in found['predictions']] == expected.names
        got = [
            [scores_of(e)[name] for name in ('jump', 'run')]
            for e in found['predictions']
        ]
        # batches of several videos are summed in another order
        limit = 0 if batch == 1 else 1e-5
        np.testing.assert_allclose(got, expected.values, rtol=limit)
    assert np.ptp(expected.values[:, 0]) > 1e-3  # not all the same


def test_csv_and_json_say_the_same(trained, tmp_path, capsys):
    found = predict(trained, tmp_path / 'out', trained.videos / 'jump')
    with open(tmp_path / 'out' / 'predictions.csv') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found['predictions']) == 4
    for i, (row, entry) in enumerate(
        zip(rows, found['predictions'], strict=True)
    ):
        assert row['video'] == entry['video']
        assert row['video'].endswith(f'jump/{i}.mp4')
        # 20 + 3 i frames at 10 a second
        assert float(row['end']) == entry['end'] == 2 + 0.3 * i
        best, other = entry['top']
        assert row['class_1'] == best['class'] != other['class']
        assert float(row['score_1']) == pytest.approx(best['score'], abs=1e-6)
        assert best['score'] >= other['score']
        assert best['score'] + other['score'] == pytest.approx(1)
    assert found['unreadable'] == []
    assert 'jump/0.mp4 0.0-2.0 s: ' in capsys.readouterr().out


def test_files_that_cannot_be_read_are_named(trained, tmp_path, capsys):
    bad = tmp_path / 'bad.mp4'
    bad.write_bytes(b'no video')
    good = trained.videos / 'run' / '1.mp4'
    for more in ((), ('--window', 1)):
        found = predict(trained, tmp_path / 'out', bad, good, *more, code=1)
        assert {e['video'] for e in found['predictions']} == {str(good)}
        [entry] = found['unreadable']
        assert entry['video'] == str(bad)
        assert f'warning: {bad} cannot be read' in capsys.readouterr().err
    with pytest.raises(ToolError, match='nothing that could be predicted'):
        predict(trained, tmp_path / 'out2', bad)
    assert not (tmp_path / 'out2' / 'predictions.json').exists()


def test_windows_are_what_a_cut_video_gives(trained, tmp_path, monkeypatch):
    """Lossless frames, so that the part can be cut out and compared."""
    path = trained.videos / 'run' / '3.mp4'
    found = predict(
        *(trained, tmp_path / 'out', path),
        *('--window', 1.6, '--stride', 0.5, '--clips', 1),
    )
    times = [(e['start'], e['end']) for e in found['predictions']]
    assert times == [(0, 1.6), (0.5, 2.1), (1, 2.6), (1.3, 2.9)]
    with Video(path) as video:
        frames = video.frames(range(13, 29))

    class Cut(camera.Frames):
        def frames(self, indices, size=None):
            with Video(path) as whole:
                return whole.frames([13 + i for i in indices], size)

    [network] = command.load_networks(
        command.parse_args(
            [str(trained.config), str(trained.checkpoint), 'x', '--clips', '1']
        )
    )
    sample = clips.pack(network.steps[1:], Cut(frames), 10, ('cut', 0, None))
    [expected] = network.scores([sample])
    got = scores_of(found['predictions'][-1])
    np.testing.assert_allclose([got['jump'], got['run']], expected, rtol=1e-5)


def test_pictures_and_videos(trained, tmp_path):
    out, path = tmp_path / 'out', trained.videos / 'run' / '3.mp4'
    predict(trained, out, path, '--window', 1, '--timeline', '--labelled')
    assert (out / '3.mp4.png').read_bytes()[:4] == b'\x89PNG'
    with Video(out / '3.mp4.mp4') as drawn, Video(path) as video:
        assert drawn.num_frames == video.num_frames == 29
        assert drawn.size == video.size
        a, b = (v.frames([20])[0].astype(int) for v in (drawn, video))
    # labels and bars above, the same picture below
    assert abs(a[:12, :40] - b[:12, :40]).mean() > 40
    assert abs(a[40:] - b[40:]).mean() < 12


@pytest.mark.slow
def test_two_networks_are_mixed(trained, tmp_path):
    path = trained.videos / 'run' / '0.mp4'
    state = torch.load(trained.checkpoint)['state_dict']
    state['cls_head.fc_local.bias'] += torch.tensor([3.0, 0.0])
    other = trained._replace(checkpoint=tmp_path / 'b.pth')
    torch.save(state, other.checkpoint)
    one, two = (
        scores_of(predict(t, tmp_path / 'out', path)['predictions'][0])
        for t in (trained, other)
    )
    mixed = predict(
        *(trained, tmp_path / 'out', path, '--weight', 0.25),
        *('--second', other.config, other.checkpoint),
    )
    got = scores_of(mixed['predictions'][0])
    assert one['jump'] != two['jump']
    for name, value in got.items():
        assert value == pytest.approx(0.75 * one[name] + 0.25 * two[name])


class FakeCamera:
    """Eight frames a second by its own clock."""

    now = 0.0
    opened = True

    def __init__(self, device: int) -> None:
        assert device == 0

    def isOpened(self) -> bool:
        return self.opened

    def read(self) -> tuple[bool, np.ndarray]:
        FakeCamera.now += 0.125
        shade = np.uint8(int(20 * self.now) % 256)
        return self.now < 30, np.full((48, 64, 3), shade)

    def release(self) -> None:
        pass


def test_a_camera(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(camera.cv2, 'VideoCapture', FakeCamera)
    monkeypatch.setattr(camera.time, 'monotonic', lambda: FakeCamera.now)
    found = predict(trained, tmp_path / 'out', '0', '--seconds', 5)
    times = [(e['start'], e['end']) for e in found['predictions']]
    assert times == [(0.125, 2), (1, 3), (2, 4), (3, 5)]
    assert {e['video'] for e in found['predictions']} == {'camera 0'}
    monkeypatch.setattr(FakeCamera, 'opened', False)
    with pytest.raises(ToolError, match='camera 0 cannot be opened'):
        predict(trained, tmp_path / 'out', '0')


def test_inputs(trained):
    root = trained.videos
    both = clips.find_inputs([str(root / 'jump'), f'{root}/**/[01].mp4'])
    names = [str(Path(p).relative_to(root)) for p in both]
    assert names == [*(f'jump/{i}.mp4' for i in range(4)), 'run/0.mp4',
                     'run/1.mp4']  # fmt: skip
    with pytest.raises(ToolError, match=r"'nowhere/\*' is no file, folder"):
        clips.find_inputs(['nowhere/*'])


def test_ties_fall_as_in_the_stock_metric():
    one = outputs.Prediction('a', 0, 1, np.array([0.2, 0.4, 0.4]))
    assert one.top('abc', 2) == [('c', 0.4), ('b', 0.4)]


# ------------------------------------------------------------------- slips
def refused(trained, out: Path, kind: type, *more: object) -> str:
    with pytest.raises(kind) as error:
        predict(trained, out, trained.videos / 'run' / '0.mp4', *more)
    text = str(error.value)
    assert '\n' not in text
    assert not (out / 'predictions.csv').exists()
    return text


def test_other_checkpoints(trained, tmp_path):
    state = torch.load(trained.checkpoint)['state_dict']
    for name in list(state):
        if name.startswith('cls_head.fc_'):
            state[name] = torch.zeros(7, *state[name].shape[1:])
    path = tmp_path / 'b.pth'
    torch.save(state, path)
    other = trained._replace(checkpoint=path)
    said = refused(other, tmp_path / 'out', CheckpointError)
    assert 'b.pth does not fit the network: cls_head.fc_' in said
    assert 'is (7, 128) there and (2, 128) here; give the config' in said
    torch.save({'fc.weight': torch.zeros(2)}, path)
    said = refused(other, tmp_path / 'out', CheckpointError)
    assert 'is missing there and' in said
    path.write_bytes(b'no checkpoint')
    said = refused(other, tmp_path / 'out', CheckpointError)
    assert 'cannot be read' in said
    path.unlink()
    said = refused(other, tmp_path / 'out', CheckpointError)
    assert f'the checkpoint {path} cannot be opened' in said


def test_a_label_map_of_other_classes(trained, tmp_path):
    (tmp_path / 'map.txt').write_text('a\nb\nc\n')
    more = ('--labels', tmp_path / 'map.txt')
    said = refused(trained, tmp_path / 'out', ToolError, *more)
    assert 'map.txt has 3 classes, not 2: give the map' in said


def test_a_config_of_frame_folders(trained, tmp_path):
    flow = Path(__file__).parents[3] / 'configs' / 'lgd3d_flow_k400.py'
    other = trained._replace(config=flow)
    said = refused(other, tmp_path / 'out', ConfigError)
    assert 'does not begin with VideoOpen' in said


def test_an_output_that_cannot_be_written(trained, tmp_path):
    (tmp_path / 'file').write_text('')
    said = refused(trained, tmp_path / 'file', ToolError)
    assert 'nothing can be written into' in said
