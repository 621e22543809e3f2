import errno
import os
from pathlib import Path

import pytest

from tui.net.local_file import read_small


def test_a_small_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1234")
    assert read_small(tmp_path / "file", 4) == b"1234"


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 2049)
    with pytest.raises(OSError, match="larger than 2 KiB") as refused:
        read_small(tmp_path / "file", 2048)
    assert (refused.value.errno, refused.value.filename) == (errno.EFBIG, str(tmp_path / "file"))


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_pipes_and_devices_are_refused(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "file")
    with pytest.raises(OSError, match=r"not a regular file|Is a directory") as refused:
        read_small(tmp_path / "file", 4)
    assert refused.value.errno in (errno.EINVAL, errno.EISDIR)
