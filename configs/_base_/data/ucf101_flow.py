# UCF101, flow; made by tools/data/ucf101.py and tools/data/extract_flow.py.
data = {
    f'split{n}': {
        part: dict(
            ann_file=f'data/ucf101/ucf101_{part}_split_{n}_rawframes.txt',
            data_prefix=dict(img='data/ucf101/rawframes'),
        )
        for part in ('train', 'val')
    }
    for n in '123'
}
