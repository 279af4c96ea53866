"""Decode videos in a process of their own, which may crash or hang."""

import atexit
import json
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from lgd_mmaction.datasets.bad_videos import BrokenVideoError
from lgd_mmaction.errors import ConfigError

_SCRIPT = Path(__file__).with_name('decoder_child.py')
# importing decord from a busy network drive takes its time
_START_LIMIT = 300
_F_SETPIPE_SZ = 1031
_MAX_MESSAGE = 1 << 20


class _Died(Exception):
    """The child ended, or closed its pipe."""


class _TimedOut(Exception):
    """The child did not answer in time."""


class _Patience:
    """How long to wait for an answer.

    Counts the time in which this process could run. A job may be suspended
    (SIGSTOP, ``scontrol suspend``): its child then stands still as well, and
    that is no hang. So what passes between two looks at the clock counts one
    step at most.
    """

    def __init__(self, limit: float) -> None:
        self.left = limit
        self.step = min(1, limit / 4)
        self.seen = time.monotonic()

    def wait(self, poll: select.poll) -> None:
        """Until there is something to read."""
        while True:
            now = time.monotonic()
            self.left -= min(now - self.seen, self.step)
            self.seen = now
            if self.left <= 0:
                raise _TimedOut
            # half a step: on a busy machine one may wake up late
            if poll.poll(min(self.left, self.step / 2) * 1000):
                return


class WatchedDecoder:
    """Reads videos with decord in a child process.

    decord segfaults on cut AVI files, can hang, keeps whole files and leaks
    (https://github.com/dmlc/decord/issues/157 and /208). Here that costs a
    child process and never the caller, which gets the same frames, bit for
    bit, or a :class:`BrokenVideoError` within the time limit::

        decoder = WatchedDecoder()
        frames, fps = decoder.info('a.mp4')
        clip = decoder.frames('a.mp4', range(16))  # (16, H, W, 3) uint8

    The child starts with the first request. It is started anew after a crash
    or a time-out, after ``max_reads`` clips, and when its resident memory
    is over ``max_rss``, so that leaks cannot grow. A request that ends in a
    crash is tried once more in a fresh child: what killed it may have been
    meant for another. Data loader workers are daemons and cannot have
    children of multiprocessing: this one is a plain program. It ends with
    its parent, however that ended.

    Args:
        time_limit: Seconds for one request (open, or read the frames of a
            clip). Those in which the job was suspended do not count.
        memory_limit: MiB of address space of the child, and of the frames of
            one clip. Guards against files that declare a huge picture.
        max_reads: Clips that one child reads.
        max_rss: MiB of resident memory at which a child is replaced.
        num_threads: Threads of decord; 0 lets it choose.
    """

    def __init__(
        self,
        time_limit: float = 30,
        memory_limit: int = 4096,
        max_reads: int = 1000,
        max_rss: int = 1024,
        num_threads: int = 1,
    ) -> None:
        for name, value, least in (
            ('time_limit', time_limit, 0.001),
            ('memory_limit', memory_limit, 256),
            ('max_reads', max_reads, 1),
            ('max_rss', max_rss, 1),
            ('num_threads', num_threads, 0),
        ):
            if not value >= least:
                raise ConfigError(
                    f'{name}={value} of the video decoder is too small; '
                    f'use at least {least}'
                )
        self.time_limit = time_limit
        self.memory_limit = memory_limit
        self.max_reads = max_reads
        self.max_rss = max_rss
        self.num_threads = num_threads
        self.starts = 0  # children in all
        self._child: subprocess.Popen | None = None
        self._reads = 0
        self._rss = 0
        self._lock = threading.Lock()

    def info(self, path: str | os.PathLike) -> tuple[int, float]:
        """Number of frames and frames per second of a video.

        Raises:
            BrokenVideoError: It cannot be opened.
            ConfigError: The child does not start, e.g. without decord.
        """
        reply = self._ask(path, {'op': 'info'}, None)
        return reply['frames'], reply['fps']

    def frames(
        self,
        path: str | os.PathLike,
        inds: Sequence[int],
        mode: str = 'accurate',
    ) -> np.ndarray:
        """Decode frames of a video.

        Args:
            path: File.
            inds: Numbers of K frames, in any order, repeated or not; each is
                decoded once.
            mode: 'accurate', or 'efficient' for the key frames nearby.

        Returns:
            (K, H, W, 3) uint8 RGB, no memory shared between frames.

        Raises:
            BrokenVideoError: They cannot be decoded.
            ConfigError: The child does not start, e.g. without decord.
        """
        inds = np.asarray(inds, dtype=np.int64).reshape(-1)
        if mode == 'accurate':
            unique, where = np.unique(inds, return_inverse=True)
        else:  # what a fast seek finds depends on the frame before
            unique, where = inds, np.arange(len(inds))
        request = {
            'op': 'frames',
            'inds': unique.tolist(),
            'mode': mode,
            'count': len(inds),
        }
        clip = self._ask(path, request, len(unique))
        same = len(unique) == len(inds) and bool((unique == inds).all())
        return clip if same else clip[where]

    @property
    def pid(self) -> int | None:
        """Process id of the child, if there is one."""
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the child; the next request starts another."""
        child, self._child = self._child, None
        if child is None:
            return
        child.stdin.close()
        child.stdout.close()
        child.kill()
        # one stuck in the kernel is reaped when it comes back
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=10)

    # ------------------------------------------------------ talking to it
    def _ask(self, path: str | os.PathLike, request: dict, count: int | None):
        path = os.fspath(path)
        request = {**request, 'path': path, 'limit': self.time_limit}
        with self._lock:
            for attempt in (1, 2):
                child = self._ready_child()
                try:
                    return self._talk(request, path, count)
                except _TimedOut:
                    self.close()
                    raise BrokenVideoError(
                        path,
                        f'decoding took over {self.time_limit:g} seconds',
                    ) from None
                except BrokenVideoError:
                    raise
                # it is gone, or what it says makes no sense any more
                except (_Died, BrokenPipeError, ValueError, LookupError):
                    self.close()
                    if attempt == 2:
                        raise BrokenVideoError(
                            path, f'the decoder crashed ({_end(child)})'
                        ) from None
                except BaseException:  # Ctrl-C in the middle of a reply
                    self.close()
                    raise

    def _talk(self, request: dict, path: str, count: int | None):
        patience = _Patience(self.time_limit)
        text = json.dumps(request).encode()
        self._write(struct.pack('!I', len(text)) + text)
        clip, done = None, 0
        while True:
            reply = self._message(patience)
            if 'rss' in reply:
                self._rss = reply['rss']
            if 'error' in reply:
                raise BrokenVideoError(path, reply['error'])
            if 'shape' not in reply:
                break
            shape = reply['shape']
            if clip is None:
                clip = np.empty((count, *shape[1:]), dtype=np.uint8)
            if tuple(shape[1:]) != clip.shape[1:] or done + shape[0] > count:
                raise _Died
            part = clip[done : done + shape[0]]
            self._read(memoryview(part).cast('B'), patience)
            done += shape[0]
        if count is None:
            return reply
        if done != count:
            raise _Died
        self._reads += 1
        return clip

    def _ready_child(self) -> subprocess.Popen:
        """The child, a new one if need be."""
        used_up = (
            self._reads >= self.max_reads or self._rss > self.max_rss << 20
        )
        if self._child is not None and used_up:
            self.close()
        if self._child is None:
            self._start()
        return self._child

    def _start(self) -> None:
        self._reads = self._rss = 0
        arguments = (os.getpid(), self.memory_limit << 20, self.num_threads)
        self._child = subprocess.Popen(
            [sys.executable, str(_SCRIPT), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            # address space that numpy's threads would take from the limit;
            # the folder of the script is no place for modules
            env={
                **os.environ,
                'OPENBLAS_NUM_THREADS': '1',
                'PYTHONSAFEPATH': '1',
            },
        )
        self.starts += 1
        _set_pipe_size(self._child.stdout.fileno())
        try:
            reply = self._message(_Patience(_START_LIMIT))
        except (_Died, _TimedOut):
            reply = {'fatal': 'it ended or hung while starting'}
        if 'fatal' in reply:
            self.close()
            raise ConfigError(
                f'the video decoder does not start: {reply["fatal"]}; '
                'install decord (pip install decord), or raise memory_limit'
            )

    def _write(self, data: bytes) -> None:
        fd = self._child.stdin.fileno()
        while data:
            data = data[os.write(fd, data) :]

    def _message(self, patience: _Patience) -> dict:
        head = bytearray(4)
        self._read(memoryview(head), patience)
        size = struct.unpack('!I', head)[0]
        if size > _MAX_MESSAGE:
            raise _Died
        text = bytearray(size)
        self._read(memoryview(text), patience)
        return json.loads(text)

    def _read(self, view: memoryview, patience: _Patience) -> None:
        """Fill the view from the child's stdout."""
        fd = self._child.stdout.fileno()
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        while len(view):
            patience.wait(poll)
            count = os.readv(fd, [view])
            if count == 0:
                raise _Died
            view = view[count:]


def _end(child: subprocess.Popen) -> str:
    """How a child ended, in words."""
    code = child.returncode
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f'exit code {code}'


def _set_pipe_size(fd: int) -> None:
    """Fewer turns between the processes; Linux, and not always allowed."""
    import fcntl

    with suppress(OSError):
        fcntl.fcntl(fd, _F_SETPIPE_SZ, 1 << 20)


_DECODERS: dict[tuple, WatchedDecoder] = {}


def shared_decoder(**options: float) -> WatchedDecoder:
    """This process's decoder with these arguments.

    The transforms of all pipelines of a process share one child; a data
    loader worker has its own.
    """
    key = tuple(sorted(options.items()))
    if key not in _DECODERS:
        _DECODERS[key] = WatchedDecoder(**options)
    return _DECODERS[key]


def _forget_parents_children() -> None:
    """In a forked process: let go of the children of the process it left."""
    for decoder in _DECODERS.values():
        if decoder._child is not None:
            # open ends here would keep those children from seeing the end
            decoder._child.stdin.close()
            decoder._child.stdout.close()
            decoder._child.returncode = 0  # not ours to wait for
            decoder._child = None
    _DECODERS.clear()


def _close_all() -> None:
    for decoder in _DECODERS.values():
        decoder.close()


os.register_at_fork(after_in_child=_forget_parents_children)
atexit.register(_close_all)
