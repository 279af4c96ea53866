"""RoI features of both paths, through the stock extractor and heads."""

import pytest
import torch
from mmaction.models.roi_heads.bbox_heads import BBoxHeadAVA
from mmaction.models.roi_heads.roi_extractors import SingleRoIExtractor3D
from mmaction.registry import MODELS
from mmcv.ops import RoIAlign
from mmdet.registry import MODELS as MMDET_MODELS
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models import RoIFeatures

# boxes of two clips in a 48 x 64 frame: inside, a corner, the whole frame
ROIS = torch.tensor(
    [
        [0, 5.0, 7.0, 30.0, 40.0],
        [1, 40.0, 30.0, 64.0, 48.0],
        [1, 0.0, 0.0, 64.0, 48.0],
    ]
)


def extractor(size: int = 3) -> SingleRoIExtractor3D:
    return SingleRoIExtractor3D(
        roi_layer_type='RoIAlign',
        featmap_stride=16,
        output_size=size,
        with_temporal_pool=True,
    )


def backbone(diffusion: dict | None) -> torch.nn.Module:
    return MODELS.build(
        dict(
            type='LGDResNet3d',
            depth=18,
            base_channels=8,
            pretrained=None,
            zero_init_residual=False,
            conv1_kernel=(1, 7, 7),
            inflate=(1, 1, 1, 1),
            spatial_strides=(1, 2, 2, 1),
            temporal_strides=(1, 2, 2, 2),
            with_pool2=False,
            pseudo3d='A',
            diffusion=diffusion,
        )
    )


def test_it_is_in_both_registries() -> None:
    assert MODELS.get('RoIFeatures') is RoIFeatures
    assert MMDET_MODELS.get('RoIFeatures') is RoIFeatures


def test_local_equals_the_plain_network_at_step_0() -> None:
    plain, lgd = backbone(None), backbone(dict(form='both', reduction=4))
    plain.init_weights()
    lgd.init_weights()
    missing = lgd.load_state_dict(plain.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert all('diffusion' in key for key in missing.missing_keys)
    plain.eval(), lgd.eval()
    clip = torch.randn(2, 3, 8, 48, 64)
    neck = RoIFeatures(features=('local',))
    with torch.no_grad():
        expected, _ = extractor()(plain(clip), ROIS)
        found, _ = extractor()(neck(lgd(clip)), ROIS)
        # the ablation without a global path takes the bare map
        bare, _ = extractor()(neck(plain(clip)), ROIS)
    assert expected.shape == (3, 64, 1, 3, 3)
    assert expected.abs().max() > 0.01
    assert torch.equal(found, expected) and torch.equal(bare, expected)


@pytest.mark.parametrize('frames', [1, 2, 5])
def test_both_is_local_beside_the_global_vector(frames: int) -> None:
    x = torch.randn(2, 6, frames, 3, 4)
    g = torch.randn(2, 6, 1, 1, 1)
    found, _ = extractor()(RoIFeatures()((x, g)), ROIS)
    assert found.shape == (3, 12, 1, 3, 3)
    local, _ = extractor()(x, ROIS)
    assert torch.allclose(found[:, :6], local, atol=1e-6)
    # constant over the box, and g of the box's clip
    expected = g[ROIS[:, 0].long()].expand(3, 6, 1, 3, 3)
    assert torch.allclose(found[:, 6:], expected, atol=1e-6)


def test_global_alone_serves_the_stock_heads() -> None:
    x = torch.randn(2, 6, 2, 3, 4)
    g = torch.randn(2, 6, 1, 1, 1)
    maps = RoIFeatures(features='global')((x, g))
    found, _ = extractor()(maps, ROIS)
    expected = g[ROIS[:, 0].long()].expand(3, 6, 1, 3, 3)
    assert torch.allclose(found, expected, atol=1e-6)
    head = BBoxHeadAVA(
        background_class=False,
        multilabel=False,
        in_channels=6,
        num_classes=4,
        topk=None,
    )
    scores = head(found)
    by_hand = head.fc_cls(g.flatten(1))[ROIS[:, 0].long()]
    assert torch.allclose(scores, by_hand, atol=1e-5)


def test_both_paths_get_gradients() -> None:
    x = torch.randn(2, 6, 2, 3, 4, requires_grad=True)
    g = torch.randn(2, 6, 1, 1, 1, requires_grad=True)
    found, _ = extractor()(RoIFeatures()((x, g)), ROIS)
    found.sum().backward()
    # 9 bins a box: one box of clip 0, two of clip 1
    assert torch.allclose(
        g.grad.flatten(1), torch.tensor([[9.0], [18.0]]).expand(2, 6)
    )
    assert x.grad.sum().item() == pytest.approx(27 * 6, rel=1e-4)


@pytest.mark.parametrize(
    'features',
    [(), ('local', 'local'), ('global', 'local'), ('x',), 'both'],
)
def test_unknown_features(features: object) -> None:
    with pytest.raises(ConfigError, match='is unknown: use'):
        RoIFeatures(features=features)


def test_a_backbone_without_a_pair() -> None:
    x, g = torch.randn(1, 6, 2, 3, 4), torch.randn(1, 6, 1, 1, 1)
    for wrong in (x, (x,), ((x, g), (x, g))):
        with pytest.raises(ConfigError, match='takes the pair'):
            RoIFeatures()(wrong)


# ---------------------------------------------- frames without a proposal


def roi_head(kind: str, classes: int):
    head = dict(
        type='AVARoIHead',
        _scope_='mmdet',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor3D', featmap_stride=16, output_size=3
        ),
        bbox_head=dict(
            type=kind,
            background_class=False,
            multilabel=False,
            in_channels=12,
            num_classes=classes,
            topk=None,
        ),
        test_cfg=ConfigDict(),
    )
    return MMDET_MODELS.build(head).eval()


class Sample:
    metainfo = dict(img_shape=(48, 64))


def predict(head, maps, boxes):
    with torch.no_grad():
        return head.predict(maps, [InstanceData(bboxes=boxes)], [Sample])[0]


@pytest.mark.parametrize('kind', ['BBoxHeadAVA', 'BackgroundBBoxHead'])
def test_no_boxes_give_no_scores(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    align = RoIAlign.forward

    def as_cuda(self: RoIAlign, x: torch.Tensor, rois: torch.Tensor):
        assert len(rois), 'invalid configuration argument'
        return align(self, x, rois)

    monkeypatch.setattr(RoIAlign, 'forward', as_cuda)
    maps = RoIFeatures()(
        (torch.randn(1, 6, 2, 3, 4), torch.randn(1, 6, 1, 1, 1))
    )
    head = roi_head(kind, 4)
    found = predict(head, maps, torch.zeros(0, 4))
    columns = 4 - (kind == 'BackgroundBBoxHead')
    assert found.bboxes.shape == (0, 4)
    assert found.scores.shape == (0, columns)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('features', [('local',), ('local', 'global')])
def test_under_autocast(dtype: torch.dtype, features: tuple) -> None:
    pair = (torch.randn(1, 6, 2, 3, 4), torch.randn(1, 6, 1, 1, 1))
    neck, pool = RoIFeatures(features), extractor()
    expected = pool(neck(tuple(p.to(dtype).float() for p in pair)), ROIS[:1])
    with torch.autocast('cpu', dtype):
        # RoIAlign refuses maps whose type is not that of the boxes
        found = pool(neck(tuple(p.to(dtype) for p in pair)), ROIS[:1])
        if features == ('local',):  # a network without global path
            alone = pool(neck(pair[0].to(dtype)), ROIS[:1])
            assert torch.equal(alone[0], found[0])
    assert found[0].dtype == torch.float32
    assert torch.equal(found[0], expected[0])


def test_background_head_is_the_stock_head_less_a_column() -> None:
    maps = RoIFeatures()(
        (torch.randn(1, 6, 2, 3, 4), torch.randn(1, 6, 1, 1, 1))
    )
    stock = roi_head('BBoxHeadAVA', 4)
    ours = roi_head('BackgroundBBoxHead', 4)
    ours.load_state_dict(stock.state_dict())
    boxes = ROIS[:, 1:]
    a, b = (predict(h, maps, boxes.clone()) for h in (stock, ours))
    assert torch.equal(a.scores[:, :3], b.scores)
    assert torch.allclose(a.scores.sum(1), torch.ones(3))
    assert torch.equal(a.bboxes, b.bboxes)
    # fractions, in the order of the proposals
    expected = boxes / torch.tensor([64, 48, 64, 48])
    assert torch.allclose(b.bboxes, expected)
