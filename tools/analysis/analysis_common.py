"""What the scripts of this folder share with those of tools/data.

Importing this module puts tools/data on the path, so that scripts here can
be run from anywhere without installation.
"""

import hashlib
import os
import sys
from pathlib import Path

_DATA_TOOLS = str(Path(__file__).resolve().parents[1] / 'data')
if _DATA_TOOLS not in sys.path:
    sys.path.append(_DATA_TOOLS)

from common import (  # noqa: E402
    VIDEO_EXTENSIONS,
    ToolError,
    make_parser,
    positive_int,
    read_lines,
    run_main,
    write_json,
    write_text,
)

__all__ = [
    'VIDEO_EXTENSIONS',
    'ToolError',
    'file_sha256',
    'make_parser',
    'positive_int',
    'read_lines',
    'run_main',
    'write_json',
    'write_text',
]


def file_sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
