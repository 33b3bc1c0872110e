"""A damaged archive is told apart from a disk that fails."""

from __future__ import annotations

import errno
import io
from zipfile import BadZipFile

import pytest

from aimass.kernel.unpacking import read_packed


class Failing(io.BytesIO):
    """A file whose reading fails."""

    def __init__(self, reason: OSError) -> None:
        super().__init__()
        self._reason = reason

    def read(self, size: int | None = -1, /) -> bytes:
        raise self._reason


def test_a_disk_that_fails_is_no_damaged_archive() -> None:
    with pytest.raises(OSError, match="Input/output"):
        read_packed(Failing(OSError(errno.EIO, "Input/output error")), 10)
    with pytest.raises(BadZipFile, match="damaged: Invalid data stream"):
        read_packed(Failing(OSError("Invalid data stream")), 10)
