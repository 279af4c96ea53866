"""detect_people.py with a small detector of random weights."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector, init_detector
from mmengine.registry import init_default_scope

from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.errors import LGDError
from lgd_tools.tubes import detect_people
from tests.datasets import tiny_tubes as tiny

CONFIG = """
default_scope = 'mmdet'
model = dict(
    type='RetinaNet',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[128] * 3, std=[60] * 3,
        pad_size_divisor=32),
    backbone=dict(type='ResNet', depth=18, base_channels=4, norm_eval=False,
                  out_indices=(2, 3)),
    neck=dict(type='FPN', in_channels=[16, 32], out_channels=8, num_outs=2),
    bbox_head=dict(
        type='RetinaHead', num_classes=2, in_channels=8, stacked_convs=1,
        feat_channels=8,
        anchor_generator=dict(
            type='AnchorGenerator', scales=[2, 4], ratios=[1.0],
            strides=[16, 32]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder')),
    test_cfg=dict(
        nms_pre=50, min_bbox_size=0, score_thr=0.0,
        nms=dict(type='nms', iou_threshold=0.5), max_per_img=30))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(128, 96), keep_ratio=True),
    dict(type='PackDetInputs',
         meta_keys=('img_id', 'ori_shape', 'img_shape', 'scale_factor')),
]
test_dataloader = dict(dataset=dict(
    type='CocoDataset', ann_file='', pipeline=test_pipeline))
"""


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny data set, a detector's config and checkpoint."""
    from mmdet.registry import MODELS
    from mmengine.config import Config

    folder = tmp_path_factory.mktemp('people')
    tiny.make(folder)
    (folder / 'detector.py').write_text(CONFIG)
    init_default_scope('mmdet')
    torch.manual_seed(1)
    model = MODELS.build(Config.fromfile(folder / 'detector.py').model)
    for parameter in model.parameters():  # other boxes than the anchors
        parameter.data += 0.05 * torch.randn_like(parameter)
    torch.save(
        {
            'state_dict': model.state_dict(),
            'meta': {'dataset_meta': {'classes': ('person', 'dog')}},
        },
        folder / 'detector.pth',
    )
    return folder


def run(root: Path, out: Path, *more: object) -> int:
    arguments = [
        root / 'tubes.json',
        root / 'detector.py',
        root / 'detector.pth',
        *('--out', out, '--device', 'cpu', '--score-thr', 0),
        *more,
    ]
    return detect_people.main([str(a) for a in arguments])


def frames(root: Path) -> tuple:
    return '--videos', root / 'rawframes'


@pytest.mark.slow
def test_proposals_are_the_detectors(root: Path, tmp_path: Path) -> None:
    out = tmp_path / 'p.npz'
    assert run(root, out, *frames(root), '--split', 1, '--subset', 'test') == 0
    table = BoxTable.load(out, 'proposals')
    assert table.videos.tolist() == ['a/1', 'b/1']
    # every frame was looked at
    assert table.frames_frame.tolist() == list(range(24)) * 2
    assert table.frames_video.tolist() == [0] * 24 + [1] * 24
    assert len(table) > 48

    model = init_detector(
        str(root / 'detector.py'), str(root / 'detector.pth'), device='cpu'
    )
    video = tiny.annotations().videos['b/1']
    for t in (0, 9, 23):
        found = inference_detector(model, tiny.picture(video, t))
        found = found.pred_instances
        person = found.labels == 0
        boxes = found.bboxes[person].numpy() / ([tiny.WIDTH, tiny.HEIGHT] * 2)
        boxes = np.clip(boxes, 0, 1)[:20]
        mine = (table.video == 1) & (table.frame == t)
        # one by one in the stock function, in batches here
        assert np.allclose(table.boxes[mine], boxes, atol=1e-4)
        assert np.allclose(
            table.score[mine], found.scores[person][:20], atol=1e-5
        )


def test_videos_other_classes_and_limits(root: Path, tmp_path: Path) -> None:
    one, two = tmp_path / 'one.npz', tmp_path / 'two.npz'
    where = ('--videos', root / 'videos', '--split', 1, '--subset', 'test')
    assert run(root, one, *where, '--classes', 'all', '--batch', 5) == 0
    limits = ('--max-per-frame', 2, '--classes', 'dog')
    assert run(root, two, *where, *limits) == 0
    everything = BoxTable.load(one, 'proposals')
    best = BoxTable.load(two, 'proposals')
    for t in range(24):
        scores = best.score[(best.video == 0) & (best.frame == t)]
        assert 1 <= len(scores) <= 2
        assert (np.diff(scores) <= 0).all()
        all_scores = everything.score[
            (everything.video == 0) & (everything.frame == t)
        ]
        assert np.isin(scores.round(5), all_scores.round(5)).all()


@pytest.mark.slow
def test_goes_on_where_it_stopped(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / 'whole.npz', tmp_path / 'p.npz'
    assert run(root, whole, *frames(root)) == 0
    seen = []
    original = detect_people.frames_of

    def frames_of(folder, video):
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(video.name)
        return original(folder, video)

    monkeypatch.setattr(detect_people, 'frames_of', frames_of)
    with pytest.raises(KeyboardInterrupt):
        run(root, out, *frames(root))
    assert not out.exists()
    seen.clear()
    seen.append('not the third')
    monkeypatch.setattr(detect_people, 'frames_of', original)
    assert run(root, out, *frames(root)) == 0
    a, b = (BoxTable.load(p, 'proposals') for p in (whole, out))
    for name in ('videos', 'video', 'frame', 'boxes', 'score'):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    # other settings are not mixed in
    with pytest.raises(LGDError, match='made with other settings'):
        run(root, out, *frames(root), '--max-per-frame', 3)


@pytest.mark.slow
def test_the_other_subset_is_added(root: Path, tmp_path: Path) -> None:
    out = tmp_path / 'p.npz'
    run(root, out, *frames(root), '--split', 1, '--subset', 'test')
    run(root, out, *frames(root), '--split', 1, '--subset', 'train')
    table = BoxTable.load(out, 'proposals')
    assert table.videos.tolist() == list(tiny.annotations().videos)
    assert len(table.frames_frame) == 6 * 24


def test_bad_videos_are_counted(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    tiny.make(tmp_path)
    (tmp_path / 'videos' / 'a' / '1.avi').unlink()
    broken = tmp_path / 'videos' / 'b' / '1.avi'
    broken.write_bytes(broken.read_bytes()[:3000])
    out = tmp_path / 'p.npz'
    where = ('--videos', tmp_path / 'videos')
    assert run(root, out, *where) == 1
    text = capsys.readouterr()
    assert '2 videos failed' in text.out
    assert 'no folder of frames' in text.err and 'b/1.avi' in text.err
    assert len(BoxTable.load(out, 'proposals').videos) == 4
    assert not (tmp_path / 'p_parts' / 'b' / '1.npz').exists()


def test_wrong_arguments(root: Path, tmp_path: Path) -> None:
    out = tmp_path / 'p.npz'
    with pytest.raises(LGDError, match="no class 'cat'; it has 2: person"):
        run(root, out, *frames(root), '--classes', 'cat')
    with pytest.raises(LGDError, match='none of the 6 videos'):
        run(root, tmp_path / 'q.npz', '--videos', tmp_path)
    with pytest.raises(LGDError, match='no split 7/test'):
        run(root, out, *frames(root), '--split', 7, '--subset', 'test')
    bad = tmp_path / 'bad.pth'
    bad.write_text('no weights')
    arguments = [root / 'tubes.json', root / 'detector.py', bad, '--out']
    arguments += [tmp_path / 'r.npz', '--device', 'cpu', *frames(root)]
    with pytest.raises(LGDError, match='cannot be built with .*bad.pth'):
        detect_people.main([str(a) for a in arguments])
    for more in (['--split', '1'], []):
        with pytest.raises(SystemExit):
            run(root, tmp_path / 'no_npz.txt', *frames(root), *more)


def test_missing_mmdet_is_one_sentence(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ('mmdet', 'mmdet.apis'):
        monkeypatch.setitem(sys.modules, name, None)
    check = 'lgd_mmaction.detection.require_mmdet'
    monkeypatch.delitem(sys.modules, check, raising=False)
    with pytest.raises(LGDError, match='detection needs mmdet==3.3.0'):
        run(root, tmp_path / 'p.npz', *frames(root))
