# HMDB51, flow; made by tools/data/hmdb51.py and tools/data/extract_flow.py.
data = {
    f'split{n}': {
        part: dict(
            ann_file=f'data/hmdb51/hmdb51_{part}_split_{n}_rawframes.txt',
            data_prefix=dict(img='data/hmdb51/rawframes'),
        )
        for part in ('train', 'val')
    }
    for n in '123'
}
