# Kinetics-400 by tools/data/kinetics.py, flow by extract_flow.py.
# flow240 (short side 240) is for LGD-2D: flow is in pixels of its own size.
data = {
    kind: {
        part: dict(
            ann_file=f'data/kinetics400/kinetics400_{part}_list_{lines}.txt',
            data_prefix={key: f'data/kinetics400/{folder}_{part}'},
        )
        for part in ('train', 'val')
    }
    for kind, lines, key, folder in (
        ('rgb', 'videos', 'video', 'videos'),
        ('flow', 'rawframes', 'img', 'rawframes'),
        ('flow240', 'rawframes', 'img', 'rawframes_240'),
    )
}
