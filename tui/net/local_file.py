"""Reads small local files, limited in size and without blocking."""

import errno
import os
import stat
from pathlib import Path


def read_small(path: Path, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes. Raises `OSError`; EFBIG if it is larger.

    A pipe or a device is EINVAL: reading it might block for ever.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {most // 1024} KiB", str(path))
    return content
