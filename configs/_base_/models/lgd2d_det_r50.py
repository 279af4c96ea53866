# LGD-2D as a detector's backbone: RoI features of the local path, the global
# path beside them, one linear softmax classifier. Stock but for backbone and
# neck. The last stage keeps its size (stride 16 instead of 32), as in the
# stock AVA configs: at 240x320 a person is then a few positions wide.
_base_ = './lgd2d_r50.py'

model = dict(
    _delete_=True,
    type='FastRCNN',
    _scope_='mmdet',
    backbone={
        **_base_.model.backbone,
        'type': 'mmaction.LGDResNet3d',
        'pretrained': None,
        'spatial_strides': (1, 2, 2, 1),
    },
    neck=dict(type='mmaction.RoIFeatures', features=('local', 'global')),
    roi_head=dict(
        type='AVARoIHead',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor3D',
            roi_layer_type='RoIAlign',
            featmap_stride=16,
            output_size=8,
            with_temporal_pool=True,
        ),
        bbox_head=dict(
            type='BBoxHeadAVA',
            background_class=False,
            multilabel=False,
            in_channels=4096,  # 2048 for each feature
            num_classes=21,
            dropout_ratio=0.5,
            topk=None,
        ),
    ),
    data_preprocessor={
        **_base_.model.data_preprocessor,
        'type': 'mmaction.ActionDataPreprocessor',
    },
    # The data set hands over the ground truth among the proposals. Detector
    # boxes take the label of what they overlap by half; others are not seen.
    train_cfg=dict(
        rcnn=dict(
            assigner=dict(
                type='MaxIoUAssignerAVA',
                pos_iou_thr=0.5,
                neg_iou_thr=0.5,
                min_pos_iou=0.5,
            ),
            sampler=dict(
                type='RandomSampler',
                num=32,
                pos_fraction=1,
                neg_pos_ub=-1,
                add_gt_as_proposals=False,
            ),
            pos_weight=1.0,
        )
    ),
    test_cfg=dict(rcnn=None),
)
