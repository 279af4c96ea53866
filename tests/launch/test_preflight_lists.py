"""One sentence for each thing in a list that a training would stumble over."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from lgd_mmaction.errors import ConfigError, DataError
from lgd_mmaction.launch.preflight import check_config
from lgd_tools.video import write_video


def config(
    folder: Path,
    train: list[str],
    val: list[str] = (),
    kind: str = 'RobustVideoDataset',
    **loader: object,
) -> Config:
    """Three classes; 8 frames of every second one are sampled."""
    loaders = {}
    step = dict(type='SampleFrames', clip_len=8, frame_interval=2)
    prefix = 'video' if 'Video' in kind else 'img'
    for part, lines in (('train', train), ('val', val)):
        (folder / f'{part}.txt').write_text('\n'.join(lines) + '\n')
        loaders[f'{part}_dataloader'] = dict(
            batch_size=4,
            dataset=dict(
                type=kind,
                data_root=str(folder),
                ann_file=f'{part}.txt',
                data_prefix={prefix: 'videos'},
                pipeline=[dict(type='VideoOpen'), step],
            ),
            **loader,
        )
    model = dict(cls_head=dict(num_classes=3))
    return Config(dict(model=model, **loaders))


def said(capsys: pytest.CaptureFixture) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_labels_beyond_the_classes(tmp_path):
    cfg = config(tmp_path, ['a.mp4 0', 'b.mp4 3', 'c.mp4 3', 'd.mp4 1'])
    with pytest.raises(DataError) as error:
        check_config(cfg)
    assert str(error.value) == (
        'train.txt: 2 clips have a label outside of 0 to 2, the largest is '
        '3: set model.cls_head.num_classes=4 (it is 3), or correct the list; '
        'labels count from 0'
    )


def test_labels_may_begin_with_zeros(tmp_path):
    with pytest.raises(DataError, match='1 clips have a label outside'):
        check_config(config(tmp_path, ['a.mp4 00', 'b.mp4 007']))


def test_the_delimiter_of_a_data_set_is_its_own(tmp_path, capsys):
    cfg = config(tmp_path, ['a 1.mp4,0', 'a 2.mp4,1'], ['a 3.mp4,2'])
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.delimiter = ','
    check_config(cfg)
    [empty] = said(capsys)
    assert '1 of 3 classes have no training clip (2)' in empty


def test_classes_without_clips_and_leaks_are_told(tmp_path, capsys):
    check_config(
        config(tmp_path, ['a.mp4 0', 'b.mp4 1'], ['b.mp4 1', 'c.mp4 2'])
    )
    empty, leak = said(capsys)
    assert '1 of 3 classes have no training clip (2)' in empty
    assert '1 of 2 validation clips are trained on too' in leak
    assert str(tmp_path / 'videos' / 'b.mp4') in leak


def test_short_clips_are_counted(tmp_path, capsys):
    lines = []
    for label, frames in enumerate((14, 15, 40)):
        pictures = np.zeros((frames, 32, 32, 3), np.uint8)
        write_video(tmp_path / 'videos' / f'{label}.mp4', pictures)
        lines.append(f'{label}.mp4 {label}')
    check_config(config(tmp_path, lines))
    [short] = said(capsys)
    # 7 steps of 2 frames and the first one
    assert '1 of 3 training clips are shorter than the 15 frames' in short


def test_frame_folders_say_their_length(tmp_path, capsys):
    lines = ['a 14 0', 'b 15 1', 'c 300 2', 'd 1 2']
    check_config(config(tmp_path, lines, kind='RawframeDataset'))
    [short] = said(capsys)
    assert '2 of 4 training clips are shorter than the 15 frames' in short


def test_an_epoch_without_a_step(tmp_path):
    lines = ['a.mp4 0', 'b.mp4 1', 'c.mp4 2']
    check_config(config(tmp_path, lines, drop_last=False))
    with pytest.raises(ConfigError, match='3 training clips do not fill one'):
        check_config(config(tmp_path, lines, drop_last=True))


def test_a_good_list_is_passed_in_silence(tmp_path, capsys):
    lines = [f'{i}.mp4 {i % 3}' for i in range(9)]
    check_config(config(tmp_path, lines, ['x.mp4 0']))
    assert said(capsys) == []


def test_a_test_looks_at_its_own_list(tmp_path):
    cfg = config(tmp_path, ['a.mp4 7'])
    cfg.test_dataloader = cfg.pop('train_dataloader')
    check_config(cfg)
    with pytest.raises(DataError, match='1 clips have a label outside'):
        check_config(cfg, test=True)


def test_videos_are_opened_for_a_time_only(tmp_path, capsys, monkeypatch):
    pictures = np.zeros((9, 32, 32, 3), np.uint8)
    for name in 'abc':
        write_video(tmp_path / 'videos' / f'{name}.mp4', pictures)
    monkeypatch.setattr('lgd_mmaction.launch.preflight._BUDGET', 0)
    check_config(config(tmp_path, ['a.mp4 0', 'b.mp4 1', 'c.mp4 2']))
    [short] = said(capsys)
    assert '1 of 1 training clips that were looked at are shorter' in short
