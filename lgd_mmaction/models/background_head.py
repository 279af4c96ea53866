"""BBoxHeadAVA with a last class 'background' that it learns, not tells.

Exists only where mmdet and the compiled operators of mmcv are installed.
"""

from lgd_mmaction.upstream_fixes import score_frames_without_boxes

try:
    from mmaction.models.roi_heads.bbox_heads import BBoxHeadAVA
    from mmdet.registry import MODELS as MMDET_MODELS
except ImportError:
    pass
else:
    score_frames_without_boxes()

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
