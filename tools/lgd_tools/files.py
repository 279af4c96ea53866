"""Results that are written whole or not at all.

A result is written under a hidden name in its own folder and renamed when
complete (one atomic step, since it stays on one disk). A killed run leaves
only such hidden names; the next run removes those of its own results. The
twin of ``lgd_mmaction.files``, which cannot be imported without torch.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PART = '.part'


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Give a hidden path to write to, a file or a folder; rename it after.

    Args:
        path: What the result is called; its folder is made. What stood there
            is replaced, or kept untouched where the body raises.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.{os.getpid()}{PART}')
    try:
        yield part
        if part.is_dir():
            remove(path)
        else:
            with open(part, 'rb') as file:
                os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        remove(part)


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic_path(path) as part:
        part.write_bytes(data)


def write_png(path: str | os.PathLike, picture: Any) -> None:
    """Write an RGB picture, uint8 (H, W, 3), as png, whole or not at all."""
    import cv2

    done, data = cv2.imencode('.png', picture[..., ::-1])
    assert done
    write_bytes(path, data.tobytes())


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_parts(results: Iterable[str | os.PathLike]) -> None:
    """Delete what killed runs left unfinished of these results.

    Of no others: another run may be writing beside them.
    """
    names: dict[str, set[str]] = {}
    for result in results:
        folder, name = os.path.split(result)
        names.setdefault(folder, set()).add(name)
    for folder, known in names.items():
        if os.path.isdir(folder):
            for name in os.listdir(folder):
                # .NAME.PID.part
                hidden = name.startswith('.') and name.endswith(PART)
                if hidden and name[1:].rsplit('.', 2)[0] in known:
                    remove(Path(folder, name))
