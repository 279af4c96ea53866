# default_runtime.py for detection: one more import, which says what to install
# where mmdet or the compiled operators of mmcv are missing.
_base_ = './default_runtime.py'

custom_imports = dict(
    imports=['lgd_mmaction', 'lgd_mmaction.detection.require_mmdet']
)
