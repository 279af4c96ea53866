# Kinetics-400, videos; made by tools/data/kinetics.py.
data = {
    part: dict(
        ann_file=f'data/kinetics400/kinetics400_{part}_list_videos.txt',
        data_prefix=dict(video=f'data/kinetics400/videos_{part}'),
    )
    for part in ('train', 'val')
}
