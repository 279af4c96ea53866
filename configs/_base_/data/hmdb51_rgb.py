# HMDB51, videos; made by tools/data/hmdb51.py.
data = {
    f'split{n}': {
        part: dict(
            ann_file=f'data/hmdb51/hmdb51_{part}_split_{n}_videos.txt',
            data_prefix=dict(video='data/hmdb51/videos'),
        )
        for part in ('train', 'val')
    }
    for n in '123'
}
