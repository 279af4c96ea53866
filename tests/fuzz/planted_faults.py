"""Parsers with known faults, for the test of tests/fuzz."""

import os
import signal
from pathlib import Path

from lgd_tools.cli import ToolError
from tests.fuzz.target import Target


def parse(data: bytes, folder: Path) -> None:
    """Each fault has a word that sets it off."""
    (folder / 'a').write_bytes(data)
    if b'<r!>' in data:
        raise ToolError('a line that a user can mend')
    if b'<k!>' in data:
        raise KeyError('missing')
    if b'<m!>' in data:
        len(b'\1' * 2**26)  # resident for a moment
    if b'<c!>' in data:
        os.kill(os.getpid(), signal.SIGSEGV)
    while b'<h!>' in data:
        pass


def targets() -> dict[str, Target]:
    return {
        name: Target(name, parse, (b'aaaa', seed), (ToolError,))
        for name, seed in (
            ('good', b'<r!>' * 3),
            ('wrong', b'a' * 50 + b'<k!>'),
            ('large', b'<m!>' * 3),
            ('crash', b'<c!>' * 3),
            ('hang', b'<h!>' * 3),
        )
    }
