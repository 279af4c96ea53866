# UCF101: videos and lists by tools/data/ucf101.py, flow by extract_flow.py.
# flow240 (short side 240) is for LGD-2D: flow is in pixels of its own size.
data = {
    kind: {
        f'split{n}': {
            part: dict(
                ann_file=f'data/ucf101/ucf101_{part}_split_{n}_{lines}.txt',
                data_prefix={key: f'data/ucf101/{folder}'},
            )
            for part in ('train', 'val')
        }
        for n in '123'
    }
    for kind, lines, key, folder in (
        ('rgb', 'videos', 'video', 'videos'),
        ('flow', 'rawframes', 'img', 'rawframes'),
        ('flow240', 'rawframes', 'img', 'rawframes_240'),
    )
}
