"""What is raised when videos cannot be read."""

from lgd_mmaction.errors import DataError


class BrokenVideoError(DataError):
    """A video, or a folder of frames, cannot be read."""

    def __init__(self, path: str, reason: str = '') -> None:
        text = f'{path}: {reason}' if reason else _own_words(type(self), path)
        super().__init__(text)
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple:
        return type(self), (self.path, self.reason)


class TooManyBadVideosError(DataError):
    """So many videos are broken that something else must be wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(_own_words(type(self), message))


def _own_words(kind: type, message: str) -> str:
    """The message without the traceback that a data loader puts before it.

    torch hands an error of a worker on as ``type(error)('Caught ... in
    DataLoader worker process 0. Original Traceback ...')``.
    """
    if message.startswith('Caught '):
        message = message.rsplit(f'{kind.__name__}: ', 1)[-1].strip()
    return message
