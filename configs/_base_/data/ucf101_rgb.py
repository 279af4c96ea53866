# UCF101, videos; made by tools/data/ucf101.py.
data = {
    f'split{n}': {
        part: dict(
            ann_file=f'data/ucf101/ucf101_{part}_split_{n}_videos.txt',
            data_prefix=dict(video='data/ucf101/videos'),
        )
        for part in ('train', 'val')
    }
    for n in '123'
}
