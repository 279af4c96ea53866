# Kinetics-600, videos; made by tools/data/kinetics.py.
data = {
    part: dict(
        ann_file=f'data/kinetics600/kinetics600_{part}_list_videos.txt',
        data_prefix=dict(video=f'data/kinetics600/videos_{part}'),
    )
    for part in ('train', 'val')
}
