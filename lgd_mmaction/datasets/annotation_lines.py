"""Look at every line of a list, so that errors have numbers."""

from mmengine.fileio import get

from lgd_mmaction.errors import DataError


def check_lines(dataset) -> None:
    """Check the ``ann_file`` of a VideoDataset or RawframeDataset.

    The stock classes report a bad line without its number, and take an empty
    one for a video.

    Raises:
        DataError: The file cannot be read, is empty, is no UTF-8, or a line
            is wrong; the message begins with ``file:line:``.
    """
    path = dataset.ann_file
    try:
        data = bytes(get(path))
    except OSError as error:
        raise DataError(
            f'the annotation file {path} cannot be read: '
            f'{error.strerror or error}; write it again with tools/data'
        ) from error
    if not data:
        raise DataError(
            f'the annotation file {path} is empty; write it with tools/data'
        )
    labelled = set()
    lines = data.removesuffix(b'\n').split(b'\n')
    for number, raw in enumerate(lines, 1):
        try:
            labelled.add(_has_label(dataset, _text(raw)))
            if len(labelled) > 1:
                raise ValueError('only some lines have a label')
        except ValueError as problem:
            shown = raw[:80].decode(errors='backslashreplace').strip()
            raise DataError(
                f'{path}:{number}: {problem}: {shown!r}; correct the line, '
                'or write the file again with tools/data'
            ) from None


def _text(raw: bytes) -> str:
    """A line; a ValueError says what is wrong with it."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f'no UTF-8 (byte {error.start + 1})') from None
    if not text.strip():
        raise ValueError('the line is empty')
    if text.startswith('\ufeff'):
        raise ValueError('a byte order mark')
    if '\0' in text:
        raise ValueError('a zero byte')
    # str.splitlines() would also break at these; the stock reader at \r
    if '\r' in text.rstrip('\r'):
        raise ValueError('a carriage return within the line')
    return text.strip()


def _has_label(dataset, text: str) -> bool:
    """Whether a line has a label; a ValueError says what is wrong with it.

    `path label`, or `dir [offset] total_frames label` of frames.
    """
    is_frames = dataset.path_key == 'frame_dir'
    names = ['dir', 'total_frames'] if is_frames else ['path']
    if is_frames and dataset.with_offset:
        names.insert(1, 'offset')
    shape = f'expected `{" ".join(names)} label`'
    fields = text.split(None if is_frames else dataset.delimiter)
    numbers, labels = fields[1 : len(names)], fields[len(names) :]
    if len(fields) < len(names) or not (labels or dataset.test_mode):
        raise ValueError(shape)
    if not all(map(_is_whole, numbers)):
        raise ValueError(f'{shape}, {" ".join(names[1:])} as numbers')
    if numbers and int(numbers[-1]) < 1:
        raise ValueError('there are no frames (total_frames is 0)')
    if len(labels) > 1 and not dataset.multi_class:
        raise ValueError(f'{shape}, and a path without blanks')
    for label in labels:
        if not _is_whole(label):
            problem = 'is not a whole number from 0'
            raise ValueError(f'the label {label!r} {problem}')
        if dataset.num_classes and int(label) >= dataset.num_classes:
            limit = f'num_classes={dataset.num_classes}'
            raise ValueError(f'label {label} with {limit}')
    return bool(labels)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
