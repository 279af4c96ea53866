"""Files in a folder or a zip; the split files of HMDB51 and J-HMDB."""

import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from lgd_tools.cli import ToolError, decode_text


def members_of(path: Path, suffix: str) -> dict[str, Callable[[], bytes]]:
    """Files in a folder or a zip: path in it -> a function that reads it."""
    if path.is_dir():
        found = {
            file.relative_to(path).as_posix(): file.read_bytes
            for file in path.rglob(f'*{suffix}')
            if file.is_file()
        }
    else:
        with _readable(path):
            archive = zipfile.ZipFile(path)
        found = {
            name: partial(_read_member, archive, name)
            for name in archive.namelist()
            if name.endswith(suffix)
        }
    # '__MACOSX/._x' and '.x' are leavings of file browsers
    names = [s for s in sorted(found) if PurePosixPath(s).name[0] != '.']
    if not names:
        raise ToolError(f'no files *{suffix} in {path}: check the path')
    return {name: found[name] for name in names}


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    with _readable(f'{archive.filename}: {name}'):
        return archive.read(name)


@contextmanager
def _readable(where: object) -> Iterator[None]:
    try:
        yield
    # a damaged archive can raise nearly anything
    except Exception as error:
        raise ToolError(
            f'{where} is no folder and cannot be read as a zip ({error}): '
            'download it again'
        ) from None


def read_split_files(
    path: Path, wanted: Container[str] = ''
) -> tuple[list[str], dict[str, dict[str, list[str]]]]:
    """Read ``<class>_test_split<k>.txt``, lines ``clip.avi code``.

    From a folder or a zip; of the ``wanted`` splits, default: all there are.
    Returns class names, sorted, and by split and code (1 for training, 2 for
    testing, 0 for neither) the clips, ``<class>/clip.avi``.
    """
    files: dict[str, dict[str, tuple]] = defaultdict(dict)
    for member, read in members_of(path, '.txt').items():
        stem = PurePosixPath(member).stem
        match = re.fullmatch(r'(.+)_test_split([0-9]+)', stem)
        if match:
            files[match[2]][match[1]] = member, read
    classes = sorted(set().union(*files.values()))
    splits: dict[str, dict[str, list[str]]] = {}
    for split in sorted(files):
        if wanted and split not in wanted:
            continue
        splits[split] = {code: [] for code in '012'}
        for name in classes:
            if name not in files[split]:
                raise ToolError(
                    f'{path}: {name}_test_split{split}.txt is missing: unpack '
                    'it again, or set --splits'
                )
            member, read = files[split][name]
            lines = decode_text(read(), f'{path}: {member}').split('\n')
            for number, line in enumerate(lines, 1):
                # some copies of the lists hold `class/clip.avi`
                line = line.strip().removeprefix(f'{name}/')
                match = re.fullmatch(r'([^/\\.]([^/\\]*\S)?)\s+([012])', line)
                if match:
                    splits[split][match[3]].append(f'{name}/{match[1]}')
                elif line:
                    raise ToolError(
                        f'{path}: {member}:{number}: expected `clip.avi code` '
                        f'with code 0, 1 or 2, got {line!r}'
                    )
    return classes, splits
