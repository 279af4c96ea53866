# Kinetics-400, flow; by tools/data/kinetics.py and extract_flow.py.
data = {
    part: dict(
        ann_file=f'data/kinetics400/kinetics400_{part}_list_rawframes.txt',
        data_prefix=dict(img=f'data/kinetics400/rawframes_{part}'),
    )
    for part in ('train', 'val')
}
