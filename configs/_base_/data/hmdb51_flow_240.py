# HMDB51, flow of short side 240, for LGD-2D: flow is in pixels of the size
# that it was extracted at. By tools/data/hmdb51.py and extract_flow.py.
data = {
    f'split{n}': {
        part: dict(
            ann_file=f'data/hmdb51/hmdb51_{part}_split_{n}_rawframes.txt',
            data_prefix=dict(img='data/hmdb51/rawframes_240'),
        )
        for part in ('train', 'val')
    }
    for n in '123'
}
