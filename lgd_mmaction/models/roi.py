"""Detection heads: features that RoIs are pooled from, background class."""

from collections.abc import Sequence

from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models.kernelized_head import FEATURES
from lgd_mmaction.upstream_fixes import score_frames_without_boxes


@MODELS.register_module()
class RoIFeatures(BaseModule):
    r"""Hands local map and global vector of an LGD network to RoI pooling.

    .. code-block:: text

        LGD backbone -> (x_L, g_L) -> RoIFeatures -> SingleRoIExtractor3D
                                      local: x_L     pools RoIs of each and
                                      global: US(g)  joins their channels

    The RoI feature is then what the local path sees in the box, and beside it
    the whole clip: US copies g_L to every position, so that pooling any box
    of it gives g_L back. Both leave as float32, also under autocast: RoIAlign
    wants the type of the boxes.

    Args:
        features: 'local', 'global' or both, in this order of channels.

    Shapes (forward):
        x_L (N, C, T, H, W), g_L (N, C, 1, 1, 1) -> a tuple of x_L and
        US(g_L) (N, C, 1, H, W), as chosen. The plain network's bare x_L
        serves ``features=('local',)``.

    Raises:
        ConfigError: A feature that does not exist, or that the backbone does
            not return.

    Source: Qiu et al., CVPR 2019: detection with features of the local path;
    the global path beside them is a choice of this project.
    """

    def __init__(
        self,
        features: Sequence[str] = FEATURES,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        chosen = (features,) if isinstance(features, str) else tuple(features)
        if chosen not in (FEATURES, FEATURES[:1], FEATURES[1:]):
            raise ConfigError(
                f'features={features!r} is unknown: use ("local",), '
                '("global",) or ("local", "global")'
            )
        self.features = chosen

    def forward(self, x: Tensor | tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        if isinstance(x, Tensor) and self.features == ('local',):
            return (x.float(),)
        pair = isinstance(x, tuple) and all(isinstance(p, Tensor) for p in x)
        if not pair or len(x) != 2:
            raise ConfigError(
                'RoIFeatures takes the pair (x_L, g_L) of an LGD backbone '
                'with one of out_indices; for a network without global path '
                "set features=('local',)"
            )
        local, vector = x
        # US(g): a view, no copy; RoI pooling needs a map of local's size
        spread = vector.float().expand(-1, -1, 1, *local.shape[3:])
        maps = {'local': local.float(), 'global': spread}
        return tuple(maps[name] for name in self.features)


try:  # there only with mmdet and the compiled operators of mmcv
    from mmaction.models.roi_heads.bbox_heads import BBoxHeadAVA
    from mmdet.registry import MODELS as MMDET_MODELS
except ImportError:
    pass
else:
    score_frames_without_boxes()
    # detectors build their necks in mmdet's registry
    MMDET_MODELS.register_module()(RoIFeatures)

    @MMDET_MODELS.register_module()
    class BackgroundBBoxHead(BBoxHeadAVA):
        """Stock head for K classes and, as class K, background.

        Training is the stock head's. A prediction has the softmax over
        K + 1 classes without its last column, so that a box without action
        scores low in all K and everything behind sees K classes.

        Args:
            num_classes: K + 1. The data set says which boxes are class K
                (``ActionTubeDataset(background=True)``).
            kwargs: Those of BBoxHeadAVA.
        """

        def _predict_by_feat_single(self, *args, **kwargs):
            results = super()._predict_by_feat_single(*args, **kwargs)
            results.scores = results.scores[:, :-1]  # (boxes, K)
            return results
