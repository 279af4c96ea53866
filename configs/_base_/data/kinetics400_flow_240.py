# Kinetics-400, flow; by tools/data/kinetics.py and extract_flow.py. Short side
# 240 for LGD-2D: flow is in pixels of the size that it was extracted at.
data = {
    part: dict(
        ann_file=f'data/kinetics400/kinetics400_{part}_list_rawframes.txt',
        data_prefix=dict(img=f'data/kinetics400/rawframes_240_{part}'),
    )
    for part in ('train', 'val')
}
