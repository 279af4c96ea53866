"""The program that decodes videos for :class:`WatchedDecoder`.

Run as a script, never imported by the package: it needs numpy and decord,
nothing else, and may crash, hang or leak at any time.

    python decoder_child.py PARENT_PID MEMORY_BYTES THREADS

Requests come on stdin, replies go to stdout. A message is 4 bytes (length,
big endian) and JSON; the pixels of frames follow their message as they are.

    {"op": "info", "path": p, "limit": s}    {"frames": n, "fps": f}
    {"op": "frames", "path": p, "limit": s,  {"shape": [k, h, w, 3]} and
     "mode": "accurate", "inds": [...],      pixels, until all were sent;
     "count": n}                             then {}
    a file that cannot be read               {"error": reason}

"count" is that of the frames of the clip, in which "inds" may be repeated.
The last message of a reply also has "rss", the child's resident bytes.
"""

import json
import os
import signal
import stat
import struct
import sys
from contextlib import suppress

# pixels of one message: bounds the memory of long clips
CHUNK_BYTES = 32 << 20
# how often an idle child looks whether its parent lives, milliseconds
PARENT_CHECK = 2000
# what decord says, and what it means
MEANINGS = {
    'Error reading': 'decord cannot open it: damaged, cut short, or no video',
    'cannot find video stream': 'it has no video that decord can decode',
    'create_filter': 'decord cannot open it: the pictures have no valid size',
    'av_read_frame failed': 'decord cannot read it: damaged or cut short',
    'Error sending packet': 'decord cannot decode it: damaged or cut short',
}


class BadVideo(Exception):
    """Why a file cannot be read."""


class Bytes:
    """What decord takes for an open file, without a copy of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self) -> bytes:
        data, self.data = self.data, b''
        return data


class Videos:
    """Opens and reads videos with decord, one at a time.

    Args:
        memory: Most bytes that a file may have.
        threads: Threads of decord.
    """

    def __init__(self, memory: int, threads: int) -> None:
        self.memory = memory
        self.threads = threads
        self.path = None
        self.reader = None

    def open(self, path: str):
        """The decord reader of a file."""
        import decord

        if self.path != path:
            self.close()
            data = self._content(path)
            self.reader = decord.VideoReader(
                Bytes(data), num_threads=self.threads
            )
            self.path = path
        return self.reader

    def close(self) -> None:
        self.path = self.reader = None

    def _content(self, path: str) -> bytes:
        # as DecordInit: a name without extension is that of an mp4
        if not os.path.splitext(path)[1] and not os.path.exists(path):
            path += '.mp4'
        try:
            status = os.stat(path)
            # a pipe or a device would never end
            if stat.S_ISDIR(status.st_mode):
                raise BadVideo('it is a folder')
            if not stat.S_ISREG(status.st_mode):
                raise BadVideo('it is no regular file')
            if status.st_size == 0:
                raise BadVideo('the file is empty (zero bytes)')
            # decord holds the file twice
            if 2 * status.st_size > self.memory:
                raise BadVideo(
                    f'the file of {status.st_size} bytes needs more memory '
                    'than memory_limit'
                )
            with open(path, 'rb') as file:
                return file.read()
        except FileNotFoundError:
            link = os.path.islink(path)
            raise BadVideo(
                'it is a link to nothing' if link else 'it does not exist'
            ) from None
        except OSError as error:
            raise BadVideo(error.strerror or str(error)) from None


def batch(reader, inds: list):
    """Frames (k, h, w, 3), also of sizes that decord's get_batch refuses."""
    import numpy as np

    try:
        return reader.get_batch(inds).asnumpy()
    except Exception as error:
        if 'must exactly match' not in str(error):
            raise
    # Rows are padded. decord takes bytes per row / width for the number of
    # colours, which comes out too large for some narrow frames; the pixels
    # are right, with the padding behind them.
    frames = []
    for i in inds:
        frame = reader[i].asnumpy()  # (h, w, "colours")
        h, w = frame.shape[:2]
        frames.append(frame.reshape(h, -1)[:, : 3 * w].reshape(h, w, 3))
    return np.stack(frames)


def key_frame(reader, index: int):
    """What DecordDecode(mode='efficient') reads: the key frame nearby."""
    reader.seek(index)
    frame = reader.next().asnumpy()
    h, w = frame.shape[:2]
    return frame.reshape(h, -1)[:, : 3 * w].reshape(1, h, w, 3)


def chunks(reader, inds: list, mode: str):
    """Frames in parts of at most CHUNK_BYTES, the first part one frame."""
    if mode == 'efficient':
        reader.seek(0)
        for i in inds:
            yield key_frame(reader, i)
        return
    first = batch(reader, inds[:1])
    yield first
    step = max(1, CHUNK_BYTES // max(1, first.nbytes))
    for start in range(1, len(inds), step):
        yield batch(reader, inds[start : start + step])


def check_size(frame, count: int, memory: int) -> None:
    """Refuse clips whose frames, repeated ones too, take too much memory.

    The limit on the address space holds in this process; the clip is put
    together in the parent.
    """
    if frame.nbytes * count > memory:
        raise BadVideo(
            f'{count} frames of {frame.shape[2]} x {frame.shape[1]} pixels '
            'need more memory than memory_limit'
        )


def why(error: BaseException) -> str:
    """The part of an error's text that tells what happened."""
    if isinstance(error, BadVideo):
        return str(error)
    if isinstance(error, MemoryError) or 'bad_alloc' in str(error):
        return 'it needs more memory than memory_limit'
    text = ' '.join(str(error).split())
    for symptom, meaning in MEANINGS.items():
        if symptom in text:
            return meaning
    # decord: "[time] /a/b.cc:12: Check failed: this (1 vs. 0) what happened"
    text = text.rsplit('.cc:', 1)[-1]
    text = text.split(': ', 1)[-1] if text[:1].isdigit() else text
    text = text.split(' vs. ', 1)[-1].split(') ', 1)[-1]
    return f'decord cannot read it: {text[:200] or type(error).__name__}'


def resident_bytes() -> int:
    try:
        with open('/proc/self/statm', 'rb') as file:
            return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
    except (OSError, ValueError):
        return 0


def send(out: int, message: dict, pixels=None) -> None:
    text = json.dumps(message).encode()
    view = memoryview(struct.pack('!I', len(text)) + text)
    for part in (view, pixels):
        while part is not None and len(part):
            part = part[os.write(out, part) :]


def receive(source: int, parent: int) -> dict | None:
    """The next request; None when the parent closed the pipe or is gone."""
    import select

    poll = select.poll()
    poll.register(source, select.POLLIN)
    data, size = b'', 4
    while len(data) < size:
        if not poll.poll(PARENT_CHECK):
            if os.getppid() != parent:
                return None
            continue
        part = os.read(source, size - len(data))
        if not part:
            return None
        data += part
        if len(data) == 4 and size == 4:
            data, size = b'', struct.unpack('!I', data)[0]
    return json.loads(data)


def answer(videos: Videos, request: dict, out: int) -> None:
    # the default action of SIGALRM ends the process, even within C code:
    # a child whose parent was killed cannot hang for ever. Well after the
    # parent's limit: a hang is to end there, not as a crash, which would be
    # tried again.
    signal.alarm(int(1.2 * request['limit']) + 3)
    path = request['path']
    try:
        reader = videos.open(path)
        if request['op'] == 'info':
            total = len(reader)
            if total < 1:
                raise BadVideo('it holds no frame')
            reply = {'frames': total, 'fps': float(reader.get_avg_fps())}
        else:
            count = request['count']
            parts = chunks(reader, request['inds'], request['mode'])
            for part in parts:
                # in time: the first part is one frame
                check_size(part[:1], count, videos.memory)
                part = part.copy() if not part.flags.c_contiguous else part
                pixels = memoryview(part).cast('B')
                send(out, {'shape': list(part.shape)}, pixels)
            reader = parts = None
            videos.close()
            reply = {}
    except OSError:  # the pipe: nobody listens
        raise
    except Exception as error:  # decord has no common base class
        reply = {'error': why(error)}
        # the traceback holds the reader and its frames
        error.__traceback__ = None
        reader = parts = None
        videos.close()
    signal.alarm(0)
    send(out, {**reply, 'rss': resident_bytes()})


def main(parent: int, memory: int, threads: int) -> None:
    # nothing that is printed may get into the replies
    source, out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    # pre-emption and Ctrl-C go to the whole group: the parent may still want
    # the frames of its last step, and its end ends this process
    for name in ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except Exception as error:
        send(out, {'fatal': f'{type(error).__name__}: {error}'})
        return
    send(out, {'ready': os.getpid()})
    videos = Videos(memory, threads)
    while (request := receive(source, parent)) is not None:
        answer(videos, request, out)


if __name__ == '__main__':
    with suppress(BrokenPipeError):
        main(*map(int, sys.argv[1:4]))
