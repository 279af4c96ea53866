"""Look at every line of an annotation file, so that errors have numbers."""

import os

from mmengine.fileio import get

from lgd_mmaction.errors import DataError


def check_lines(dataset) -> None:
    """Check the file of a VideoDataset or RawframeDataset before it is read.

    The stock classes report a bad line without its number, and take an empty
    one for a video.

    Args:
        dataset: Robust(Video|Rawframe)Dataset; its ``ann_file``, and the
            arguments that say how a line looks.

    Raises:
        DataError: The file cannot be read, is empty, is no UTF-8, or a line
            is wrong; the message begins with ``file:line:``.
    """
    path = dataset.ann_file
    try:
        data = get(path)
    except OSError as error:
        raise DataError(
            f'the annotation file {path} cannot be read: '
            f'{error.strerror or error}; write it again with tools/data'
        ) from error
    lines = bytes(data).split(b'\n')
    if lines[-1] == b'':
        lines.pop()
    if not lines:
        raise DataError(
            f'the annotation file {path} is empty; write it with tools/data'
        )
    problem_of = (
        _frames_problem if dataset.path_key == 'frame_dir' else _video_problem
    )
    labelled = None
    for number, raw in enumerate(lines, 1):
        problem, has_label = _text_problem(raw), True
        if problem is None:
            text = raw.decode().strip()
            problem, has_label = problem_of(dataset, text)
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


def _video_problem(dataset, text: str) -> tuple[str | None, bool]:
    """(problem, has a label) of `path label`."""
    path, *labels = text.split(dataset.delimiter)
    if not labels and not dataset.test_mode:
        return 'expected `path label`, there is no label', False
    if len(labels) > 1 and not dataset.multi_class:
        return (
            f'expected `path label`, and a path without {dataset.delimiter!r}',
            True,
        )
    problem = _label_problem(dataset, labels) or _path_problem(dataset, path)
    return problem, bool(labels)


def _frames_problem(dataset, text: str) -> tuple[str | None, bool]:
    """(problem, has a label) of `dir [offset] total_frames label`."""
    path, *rest = text.split()
    count = 2 if dataset.with_offset else 1
    names = ('offset', 'total_frames')[-count:]
    shape = f'`dir {" ".join(names)} label`'
    numbers, labels = rest[:count], rest[count:]
    if len(numbers) < count or not (labels or dataset.test_mode):
        return f'expected {shape}', False
    if not all(n.isascii() and n.isdigit() and len(n) < 10 for n in numbers):
        return f'expected {shape}, {" ".join(names)} as numbers', True
    if int(numbers[-1]) < 1:
        return 'there are no frames (total_frames is 0)', True
    if len(labels) > 1 and not dataset.multi_class:
        return f'expected {shape}, and a path without blanks', True
    problem = _label_problem(dataset, labels) or _path_problem(dataset, path)
    return problem, bool(labels)


def _label_problem(dataset, labels: list[str]) -> str | None:
    for label in labels:
        if not (label.isascii() and label.isdigit() and len(label) < 10):
            return f'the label {label!r} is not a whole number from 0'
        if dataset.num_classes and int(label) >= dataset.num_classes:
            return f'label {label} with num_classes={dataset.num_classes}'
    return None


def _path_problem(dataset, path: str) -> str | None:
    if dataset.inside_root and (
        os.path.isabs(path) or '..' in path.replace('\\', '/').split('/')
    ):
        return 'the path leaves the data folder (inside_root=True)'
    return None
