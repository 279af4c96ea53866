"""A ``python`` that has torch and mmaction2 imported: many starts are cheap.

Importing them takes ten seconds of a processor. ``PYTHON`` is a program that
takes what ``python`` takes. A server, which has imported what this package
stands on and nothing of this package, runs the command in a fork, with the
caller's environment, folder and open files; in it ``sys.executable`` is
``PYTHON`` again. Signals are passed on, and the program ends as its command
does. What differs: the command is not in the caller's process group, and does
not inherit limits. Tests of these, of a start itself or of what is imported
by it take ``sys.executable``.
"""

import contextlib
import json
import os
import signal
import socket
import sys

# set by start(), for this process and those it starts
PYTHON = os.environ.get('LGD_TESTS_PYTHON', sys.executable)
PRELOADED = (
    *('torch', 'torch._dynamo', 'torch.utils.tensorboard'),
    'torch.distributed.launcher.api',
    *('mmengine.runner', 'mmengine.hub', 'mmcv.ops', 'mmdet.apis'),
    *('mmaction.apis', 'mmaction.datasets', 'mmaction.engine'),
    *('mmaction.evaluation', 'mmaction.visualization', 'matplotlib.pyplot'),
    *('scipy.stats', 'av', 'cv2', 'decord', 'pebble', 'rich.progress'),
)
SIGNALS = [
    getattr(signal, f'SIG{name}')
    for name in ('HUP', 'INT', 'QUIT', 'TERM', 'USR1', 'USR2')
]


def start(folder: str) -> None:
    """Start a server, which ends when this process does, and set PYTHON."""
    import subprocess

    global PYTHON
    address = os.path.join(folder, 'socket')
    PYTHON = os.environ['LGD_TESTS_PYTHON'] = os.path.join(folder, 'python')
    here = os.path.dirname(__file__)
    with open(PYTHON, 'w') as file:
        file.write(
            f'#!{sys.executable} -IS\nimport sys\nsys.path.append({here!r})\n'
            f'import warm\nwarm.call({address!r})\n'
        )
    os.chmod(PYTHON, 0o755)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    subprocess.Popen(
        [sys.executable, __file__, str(listener.fileno())],
        env={k: v for k, v in os.environ.items() if k != 'PYTHONPATH'},
        # its end says that this process has ended
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[listener.fileno()],
        start_new_session=True,
    )


# -------------------------------------------------------------- the program
def call(address: str) -> None:
    """Have the server run this process's command, and end as it ends."""
    # until they can be passed on
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    files = []
    for name in os.listdir('/dev/fd'):
        with contextlib.suppress(OSError):  # what listed them
            os.fstat(int(name))
            files.append(int(name))
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        command = (sys.argv, os.getcwd(), dict(os.environ), files)
        socket.send_fds(server, [b'.'], files)
        server.sendall(json.dumps(command).encode() + b'\n')
        for number in SIGNALS:
            signal.signal(number, lambda n, _: server.sendall(bytes([n])))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        said = server.recv(4)
    status = int.from_bytes(said, 'big') if said else 255 << 8
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with contextlib.suppress(OSError):  # SIGKILL has no other handler
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


# --------------------------------------------------------------- the server
def serve(listener: socket.socket) -> None:
    """Run one command a connection, each in a fork."""
    import gc
    import select
    from importlib import import_module

    os.set_inheritable(listener.fileno(), False)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # leave no zombies
    loaded = False
    while 0 not in select.select([0, listener], [], [])[0]:
        connection, _ = listener.accept()
        if not loaded:
            for name in PRELOADED:
                with contextlib.suppress(ImportError):
                    import_module(name)
            gc.freeze()
            loaded = True
        if not os.fork():
            listener.close()
            watch(connection)
            return
        connection.close()


def watch(connection: socket.socket) -> None:
    """Run a command in a fork, pass on signals to it and how it ended."""
    import threading

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, files, _, _ = socket.recv_fds(connection, 1, 250)
    stream = connection.makefile('rb')
    argv, folder, env, numbers = json.loads(stream.readline())
    pid = os.fork()
    if not pid:
        stream.close()
        connection.close()
        become(argv, folder, env, dict(zip(numbers, files, strict=True)))
        return
    for file in files:
        os.close(file)

    def pass_on() -> None:
        while number := stream.read(1):
            os.kill(pid, number[0])
        os.kill(pid, signal.SIGKILL)  # the caller was killed

    threading.Thread(target=pass_on, daemon=True).start()
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        connection.sendall(status.to_bytes(4, 'big'))
    os._exit(0)


def become(
    argv: list[str], folder: str, env: dict[str, str], files: dict[int, int]
) -> None:
    """Be a new process of ``python``."""
    import fcntl
    import random
    import runpy
    import types
    import warnings

    import numpy as np
    import torch

    # first out of the way of the numbers they had there
    moved = {n: fcntl.fcntl(f, fcntl.F_DUPFD, 500) for n, f in files.items()}
    os.closerange(0, 500)
    for number, file in moved.items():
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, 'w')
    sys.stdout.reconfigure(write_through=bool(env.get('PYTHONUNBUFFERED')))
    sys.stderr = os.fdopen(2, 'w', 1, errors='backslashreplace')
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.executable, *argv = argv
    filters = list(filter(None, env.get('PYTHONWARNINGS', '').split(',')))
    while argv[0] in ('-W', '-u'):
        if argv.pop(0) == '-W':
            filters.append(argv.pop(0))
    for name in filters:
        warnings.simplefilter(name)
    random.seed()
    np.random.seed()
    torch.seed()
    paths = list(filter(None, env.get('PYTHONPATH', '').split(os.pathsep)))
    sys.argv, sys.path[:1] = argv, ['', *paths]
    if argv[0] == '-c':
        code = compile(argv.pop(1), '<string>', 'exec')
        main = sys.modules['__main__'] = types.ModuleType('__main__')
        exec(code, main.__dict__)
    elif argv[0] == '-m':
        sys.path[0] = folder
        name = argv.pop(1)
        runpy.run_module(name, run_name='__main__', alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.realpath(argv[0]))
        runpy.run_path(argv[0], run_name='__main__')


if __name__ == '__main__':
    serve(socket.socket(fileno=int(sys.argv[1])))
