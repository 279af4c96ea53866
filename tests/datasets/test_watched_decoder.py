"""Reading in a child process: right frames or an error, never a crash."""

import contextlib
import itertools
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest

from lgd_mmaction.datasets import watched_decoder
from lgd_mmaction.datasets.watched_decoder import (
    WatchedDecoder,
    shared_decoder,
)
from lgd_mmaction.errors import ConfigError
from lgd_mmaction.video.errors import BrokenVideoError

LIMIT = 20


@pytest.fixture
def decoder() -> Iterator[WatchedDecoder]:
    decoder = WatchedDecoder(time_limit=LIMIT, memory_limit=1024)
    yield decoder
    decoder.close()


def pyav_frames(path: Path) -> np.ndarray:
    """The first frames, (<= 40, H, W, 3), as another reader sees them."""
    path = path if path.exists() else path.with_name(path.name + '.mp4')
    with open(path, 'rb') as file, av.open(file) as container:
        frames = container.decode(video=0)
        first = itertools.islice(frames, 40)
        return np.stack([f.to_ndarray(format='rgb24') for f in first])


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1]
    except FileNotFoundError:
        return False
    return state.split()[0] not in 'ZX'


def wait_until_gone(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pid)


def open_files() -> int:
    return len(os.listdir('/proc/self/fd'))


def children() -> set[int]:
    """Processes that this one has started and not buried."""
    found = set()
    for stat in Path('/proc').glob('[0-9]*/stat'):
        with contextlib.suppress(OSError):
            pid, rest = stat.read_text().split(' (', 1)
            if int(rest.rsplit(') ', 1)[1].split()[1]) == os.getpid():
                found.add(int(pid))
    return found


def check_corpus(decoder: WatchedDecoder, cases: list) -> dict[str, int]:
    """Reads every file; the outcomes, by what may come of the case."""
    counts = dict.fromkeys(('good', 'bad', 'frames', 'refused'), 0)
    for case in cases:
        start = time.monotonic()
        try:
            total, fps = decoder.info(case.path)
            clip = decoder.frames(case.path, range(min(total, 40)))
        except BrokenVideoError as error:
            clip = None
            assert case.expect != 'good', (case.name, str(error))
            assert str(case.path) in str(error) and error.reason
        assert time.monotonic() - start < 2 * LIMIT + 5, case.name
        if clip is None:
            counts['bad' if case.expect == 'bad' else 'refused'] += 1
            continue
        assert case.expect != 'bad', case.name
        assert fps > 0 and clip.dtype == np.uint8, case.name
        counts['good' if case.expect == 'good' else 'frames'] += 1
        if case.whole is not None:
            # what is left of a cut clip are its first frames
            whole = decoder.frames(case.whole, range(len(clip)))
            assert np.array_equal(clip[:-1], whole[: len(clip) - 1]), case.name
        elif case.expect == 'good' and case.name != 'rotated':
            other = pyav_frames(case.path)
            assert len(other) == len(clip), case.name
            other = other.astype(np.int16)
            # the two scale colours of small pictures in their own ways
            assert np.abs(clip - other).mean() < 3, case.name
    return counts


@pytest.mark.slow
def test_corpus(
    corpus_module: ModuleType,
    real_clips: Path | None,
    tmp_path: Path,
    decoder: WatchedDecoder,
) -> None:
    """None of 130 hostile files crashes, hangs, leaks or lies."""
    cases = corpus_module.build(tmp_path / 'corpus', real_clips)
    others = children()
    decoder.info(cases[0].path)
    files = open_files()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = check_corpus(decoder, cases)
    assert counts['good'] >= 20 and counts['bad'] >= 25
    assert counts['frames'] >= 10 and counts['refused'] >= 15
    assert sum(counts.values()) == len(cases)
    assert open_files() == files
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    assert grown < 200 << 10  # KiB
    if real_clips is not None:  # decord crashes on these
        assert decoder.starts > 9
    decoder.close()
    assert children() == others  # none is left, nor a zombie


@pytest.mark.slow
def test_rotated(corpus_module: ModuleType, tmp_path: Path, decoder) -> None:
    cases = corpus_module.build(tmp_path)
    path = next(c.path for c in cases if c.name == 'rotated')
    upright = pyav_frames(path)  # as stored: PyAV does not turn
    turned = decoder.frames(path, range(len(upright)))
    assert turned.shape == (24, 96, 64, 3)
    assert (
        np.abs(turned - np.rot90(upright, -1, (1, 2)).astype(int)).mean() < 3
    )


def test_frames_in_any_order(clips: dict[str, Path], decoder) -> None:
    whole = decoder.frames(clips['mp4'], range(24))
    assert len(np.unique(whole.reshape(24, -1), axis=0)) == 24
    inds = [5, 23, 5, 0, 7, 7, 1]
    some = decoder.frames(clips['mp4'], inds)
    assert np.array_equal(some, whole[inds])
    some[0] = 0  # frames are changed in place by transforms
    assert np.array_equal(some[2], whole[5])


@pytest.mark.slow
def test_long_clips_come_in_parts(
    clips: dict[str, Path], tmp_path: Path, corpus_module
) -> None:
    """Frames over several messages are those of one."""
    fast = {'preset': 'ultrafast', 'crf': '1'}
    path = corpus_module.write(
        tmp_path / 'big.mp4', size=(720, 960), frames=18, options=fast
    )
    decoder = WatchedDecoder()
    try:
        clip = decoder.frames(path, range(18))  # 37 MB, three parts
        assert np.abs(clip - pyav_frames(path).astype(int)).mean() < 3
    finally:
        decoder.close()


@pytest.mark.slow
def test_limits_of_memory(tmp_path: Path, corpus_module) -> None:
    path = corpus_module.write(tmp_path / 'big.mp4', size=(720, 960), frames=4)
    decoder = WatchedDecoder(memory_limit=256)
    try:
        # one frame that is repeated takes the memory of many
        for mode in ('accurate', 'efficient'):
            for inds in (range(200), [0] * 200):
                with pytest.raises(BrokenVideoError, match='memory_limit'):
                    decoder.frames(path, inds, mode)
        assert decoder.frames(path, [0] * 3).shape == (3, 720, 960, 3)
    finally:
        decoder.close()


@pytest.mark.slow
def test_a_hang_ends_at_the_limit(clips: dict[str, Path]) -> None:
    decoder = WatchedDecoder(time_limit=1)
    decoder.info(clips['mp4'])
    pid = decoder.pid
    os.kill(pid, signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(BrokenVideoError, match='over 1 seconds'):
        decoder.frames(clips['mp4'], [0])
    assert time.monotonic() - start < 5
    assert not alive(pid)
    decoder.time_limit = LIMIT
    assert decoder.frames(clips['mp4'], [0]).shape == (1, 64, 96, 3)
    assert decoder.starts == 2
    decoder.close()


@pytest.mark.slow
def test_a_hang_is_tried_once(clips, monkeypatch, tmp_path) -> None:
    """The child's own alarm comes after the limit."""
    (tmp_path / 'decord.py').write_text(
        'import time\n'
        'class logging:\n    QUIET, set_level = 0, print\n'
        'def VideoReader(*args, **more):\n    time.sleep(60)\n'
    )
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    decoder = WatchedDecoder(time_limit=2)
    start = time.monotonic()
    with pytest.raises(BrokenVideoError, match='decoding took over 2 seconds'):
        decoder.info(clips['mp4'])
    assert 2 <= time.monotonic() - start < 4
    assert decoder.starts == 1 and decoder.pid is None


@pytest.mark.slow
def test_a_suspended_job_breaks_no_video(
    tmp_path: Path, corpus_module: ModuleType
) -> None:
    """The time in which the whole group is stopped does not count."""
    path = corpus_module.write(tmp_path / 'big.mp4', size=(720, 960), frames=8)
    here, there = os.pipe()
    job = os.fork()
    if job == 0:  # no pytest in here
        os.setsid()
        decoder = WatchedDecoder(time_limit=2)
        try:
            decoder.info(path)
            os.write(there, b'go')
            end = time.monotonic() + 3
            while time.monotonic() < end:
                decoder.frames(path, range(8))
            os.write(there, b'fine')
        except BaseException as error:
            os.write(there, str(error).encode())
        finally:
            decoder.close()
            os._exit(0)
    os.close(there)
    try:
        assert os.read(here, 2) == b'go'
        time.sleep(0.5)
        os.killpg(job, signal.SIGSTOP)
        time.sleep(6)  # longer than the limit and than the child's alarm
        os.killpg(job, signal.SIGCONT)
        assert os.read(here, 1000) == b'fine'
    finally:
        os.close(here)
        os.killpg(job, signal.SIGKILL)
        os.waitpid(job, 0)


def test_a_crash_is_tried_again(clips: dict[str, Path], decoder) -> None:
    """A child that something else killed costs no video."""
    decoder.info(clips['mp4'])
    os.kill(decoder.pid, signal.SIGKILL)
    assert decoder.frames(clips['mp4'], [3]).shape == (1, 64, 96, 3)
    assert decoder.starts == 2


def test_a_crash_tells_how(clips, decoder, monkeypatch, tmp_path) -> None:
    script = tmp_path / 'child.py'
    script.write_text(
        'import os, sys\n'
        'os.write(1, b"\\0\\0\\0\\x0c" + b\'{"ready": 1}\')\n'
        'os.read(0, 4)\nos.kill(os.getpid(), 11)\n'
    )
    monkeypatch.setattr(watched_decoder, '_SCRIPT', script)
    with pytest.raises(BrokenVideoError, match=r'crashed \(SIGSEGV\)'):
        decoder.info(clips['mp4'])
    assert decoder.starts == 2
    # nonsense instead of an answer
    script.write_text(
        script.read_text().replace(
            'os.kill(os.getpid(), 11)', 'os.write(1, b"\\xff" * 64)'
        )
    )
    with pytest.raises(BrokenVideoError, match='crashed'):
        decoder.info(clips['mp4'])


def test_without_decord(clips, decoder, monkeypatch, tmp_path) -> None:
    (tmp_path / 'decord.py').write_text('raise ImportError("no decord")')
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    with pytest.raises(ConfigError, match='no decord; install decord'):
        decoder.info(clips['mp4'])
    assert decoder.pid is None


@pytest.mark.slow
def test_children_are_replaced(clips: dict[str, Path]) -> None:
    decoder = WatchedDecoder(max_reads=3)
    pids = set()
    for i in range(7):
        decoder.frames(clips['mp4'], [i])
        pids.add(decoder.pid)
    assert decoder.starts == len(pids) == 3
    decoder.close()
    small = WatchedDecoder(max_rss=1)  # every child is over 1 MiB
    for i in range(3):
        small.frames(clips['mp4'], [i])
    assert small.starts == 3
    small.close()


def test_pre_emption_does_not_end_the_child(clips, decoder) -> None:
    """A signal to the process group leaves the last step its frames."""
    decoder.info(clips['mp4'])
    for name in ('SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'):
        os.kill(decoder.pid, getattr(signal, name))
    assert decoder.frames(clips['mp4'], [0]).shape == (1, 64, 96, 3)
    assert decoder.starts == 1


@pytest.mark.parametrize('busy', [False, True])
def test_the_child_ends_with_its_parent(clips, busy: bool) -> None:
    here, there = os.pipe()
    parent = os.fork()
    if parent == 0:  # no pytest in here
        decoder = WatchedDecoder(time_limit=1)
        decoder.info(clips['mp4'])
        os.write(there, str(decoder.pid).encode())
        time.sleep(60)
        os._exit(1)
    child = int(os.read(here, 20))
    os.close(here)
    os.close(there)
    if busy:  # stopped: it does not see that the pipe was closed
        os.kill(child, signal.SIGSTOP)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    if busy:
        os.kill(child, signal.SIGCONT)
    assert wait_until_gone(child, 10)


@pytest.mark.slow
def test_forked_processes_have_their_own(clips: dict[str, Path]) -> None:
    decoder = shared_decoder(time_limit=LIMIT + 1)
    whole = decoder.frames(clips['mp4'], range(24))
    assert shared_decoder(time_limit=LIMIT + 1) is decoder
    child = decoder.pid
    pid = os.fork()
    if pid == 0:  # no pytest in here
        code = 1
        try:
            mine = shared_decoder(time_limit=LIMIT + 1)
            same = np.array_equal(mine.frames(clips['mp4'], range(24)), whole)
            if mine is not decoder and mine.pid != child and same:
                code = 0
            mine.close()
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    assert decoder.pid == child and alive(child)
    assert np.array_equal(decoder.frames(clips['mp4'], [7])[0], whole[7])
    assert decoder.starts == 1
    decoder.close()


@pytest.mark.parametrize(
    'wrong',
    [dict(time_limit=0), dict(memory_limit=10), dict(max_reads=0)],
)
def test_wrong_arguments(wrong: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        WatchedDecoder(**wrong)


@pytest.mark.slow
def test_memory_stays_flat(clips: dict[str, Path]) -> None:
    """600 clips: neither this process nor the child grows."""
    decoder = WatchedDecoder(time_limit=LIMIT)

    def resident(pid: int) -> float:
        pages = int(Path(f'/proc/{pid}/statm').read_text().split()[1])
        return pages * os.sysconf('SC_PAGE_SIZE') / 2**20

    sizes = []
    for i in range(600):
        decoder.info(clips['avi'])
        decoder.frames(clips['avi'], range(i % 8, i % 8 + 16))
        if i >= 100 and i % 10 == 0:
            sizes.append((i, resident(os.getpid()), resident(decoder.pid)))
    reads, own, child = np.array(sizes).T
    assert np.polyfit(reads, own, 1)[0] * 1000 < 2  # MiB in 1000 reads
    assert child.max() < 200
    assert decoder.starts == 1
    decoder.close()
