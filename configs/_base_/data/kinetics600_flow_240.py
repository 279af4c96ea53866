# Kinetics-600, flow; by tools/data/kinetics.py and extract_flow.py. Short side
# 240 for LGD-2D: flow is in pixels of the size that it was extracted at.
data = {
    part: dict(
        ann_file=f'data/kinetics600/kinetics600_{part}_list_rawframes.txt',
        data_prefix=dict(img=f'data/kinetics600/rawframes_240_{part}'),
    )
    for part in ('train', 'val')
}
