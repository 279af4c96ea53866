# LGD-3D, ResNet-50, Kinetics-400, ablation of the sketch: D = 4096 per path
# (the main config has 8192).
# Numbers: docs/configs.md
_base_ = '../lgd3d_r50_k400.py'

model = dict(cls_head=dict(sketch_dim=4096))
