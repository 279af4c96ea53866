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
    labelled = None
    lines = data.removesuffix(b'\n').split(b'\n')
    for number, raw in enumerate(lines, 1):
        problem, has_label = _text_problem(raw), True
        if problem is None:
            text = raw.decode().strip()
            problem, has_label = _line_problem(dataset, text)
        if problem is None and labelled not in (None, has_label):
            problem = 'only some lines have a label'
        if problem is not None:
            shown = raw[:80].decode(errors='backslashreplace').strip()
            raise DataError(
                f'{path}:{number}: {problem}: {shown!r}; correct the line, '
                'or write the file again with tools/data'
            )
        labelled = has_label


def _text_problem(raw: bytes) -> str | None:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return f'no UTF-8 (byte {error.start + 1})'
    if not text.strip():
        return 'the line is empty'
    if text.startswith('\ufeff'):
        return 'a byte order mark'
    if '\0' in text:
        return 'a zero byte'
    # str.splitlines() would also break at these; the stock reader at \r
    if '\r' in text.rstrip('\r'):
        return 'a carriage return within the line'
    return None


def _line_problem(dataset, text: str) -> tuple[str | None, bool]:
    """(problem, has a label) of a line.

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
        problem = shape
    elif not all(map(_is_whole, numbers)):
        problem = f'{shape}, {" ".join(names[1:])} as numbers'
    elif numbers and int(numbers[-1]) < 1:
        problem = 'there are no frames (total_frames is 0)'
    elif len(labels) > 1 and not dataset.multi_class:
        problem = f'{shape}, and a path without blanks'
    else:
        problem = _label_problem(dataset, labels)
    return problem, bool(labels)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _label_problem(dataset, labels: list[str]) -> str | None:
    for label in labels:
        if not _is_whole(label):
            return f'the label {label!r} is not a whole number from 0'
        if dataset.num_classes and int(label) >= dataset.num_classes:
            return f'label {label} with num_classes={dataset.num_classes}'
    return None
