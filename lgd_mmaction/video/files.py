"""Which files may be opened at all."""

import os
import stat

from lgd_mmaction.video.errors import BrokenVideoError


def find_file(path: str) -> str:
    """The path of a regular file that is not empty.

    Raises:
        BrokenVideoError: It is something else; it is not opened.
    """
    # as DecordInit: a name without extension is that of an mp4
    if not os.path.splitext(path)[1] and not os.path.exists(path):
        path += '.mp4'
    reason = ''
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            reason = 'it is a folder'
        # a pipe or a device would never end
        elif not stat.S_ISREG(status.st_mode):
            reason = 'it is no regular file'
        elif status.st_size == 0:
            reason = 'the file is empty (zero bytes)'
    except FileNotFoundError:
        link = os.path.islink(path)
        reason = 'it is a link to nothing' if link else 'it does not exist'
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise BrokenVideoError(path, reason)
    return path
