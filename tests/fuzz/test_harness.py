"""The harness finds faults that were planted, and gives each its input."""

import mmap
from pathlib import Path

import pytest
from hypothesis import given, settings

from lgd_mmaction.errors import LGDError
from tests.fuzz import harness
from tests.fuzz.harness import Escape, TooLarge, TooSlow, check_output, fuzzed
from tests.fuzz.strategies import damaged


def parse(data: bytes, folder: Path) -> None:
    """Each fault has a word that sets it off."""
    (folder / 'a').write_bytes(data)
    if b'<r!>' in data:
        raise LGDError('a line that a user can mend')
    if b'<n!>' in data:
        raise LGDError(' ')
    if b'<k!>' in data:
        raise KeyError('missing')
    if b'<m!>' in data:
        # at once resident, and no memory that the process has kept
        mmap.mmap(-1, 2**26, flags=mmap.MAP_PRIVATE | mmap.MAP_POPULATE)
    while b'<h!>' in data:
        pass


@pytest.mark.parametrize(
    ('word', 'error'),
    [
        (b'<k!>', KeyError),
        (b'<n!>', AssertionError),
        (b'<m!>', TooLarge),
        (b'<h!>', TooSlow),
    ],
)
def test_a_planted_fault_is_seen(
    word: bytes, error: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, 'MEMORY_LIMIT', 32)
    monkeypatch.setattr(harness, 'TIME_LIMIT', 0.3)
    for data in (b'fine', b'<r!>'):
        harness.run(parse, data, (LGDError,))
    with pytest.raises(error):
        harness.run(parse, b'a' * 50 + word, (LGDError,))


@pytest.mark.slow
def test_a_planted_fault_is_found_and_shortened() -> None:
    """Out of a valid file and the words that may be put in."""
    test = fuzzed(damaged(b'a' * 50, words=(b'<k!>', b'<r!>')))(parse)
    test = settings(
        max_examples=500, derandomize=True, database=None, deadline=None
    )(test)
    with pytest.raises(KeyError) as error:
        test()
    assert 'data=b' in ''.join(error.value.__notes__)
    assert harness.COUNTS.pop('parse') > 10


@pytest.mark.slow
def test_damage_is_varied_and_short() -> None:
    seen = set()

    @settings(max_examples=200, derandomize=True, database=None)
    @given(damaged(b'a b 1\nc d 2\n', words=(b'word',)))
    def collect(data: bytes) -> None:
        seen.add(data)

    collect()
    assert len(seen) > 100 and max(map(len, seen)) <= 20_000
    assert any(b'word' in data for data in seen)


def test_what_is_written_outside_of_the_output_is_seen(
    tmp_path: Path,
) -> None:
    (tmp_path / 'in').mkdir()
    (tmp_path / 'out').mkdir()
    check_output(tmp_path, set())
    listed = tmp_path / 'out' / 'x_videos.txt'
    listed.write_text('a/../../b.avi 0\n')
    with pytest.raises(Escape, match=r'lists .a/\.\./\.\./b'):
        check_output(tmp_path, set())
    listed.unlink()
    (tmp_path / 'in' / 'more').touch()
    with pytest.raises(Escape, match='among the sources'):
        check_output(tmp_path, set())
    (tmp_path / 'up').touch()
    with pytest.raises(Escape, match='outside of --out'):
        check_output(tmp_path, set())
