"""What a model worker was running when it died, or has been running for too long.

The worker notes it in a file of one page per lane, ``[count][monotonic nanoseconds at the start][ids ...]``, and whoever
asks reads that file, also when the worker is gone.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

LANE_BYTES = 4096
HEAD_BYTES = 16
MOST_IDS = (LANE_BYTES - HEAD_BYTES) // 8


def open_left(path: Path) -> int:
    """Open a file that a model may have put there: what is no plain file is refused, and never waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    return descriptor


def read_left(path: Path, most: int) -> bytes:
    """Read such a file, so many bytes of it."""
    with open(open_left(path), "rb") as file:
        return file.read(most)


def running_ids(journal: bytes) -> list[list[int]]:
    """Return the ids that were running, a list for each batch.

    Examples
    --------
    >>> running_ids(struct.pack("<4Q", 2, 0, 7, 9).ljust(LANE_BYTES, bytes(1)))
    [[7, 9]]
    """
    return [list(struct.unpack_from(f"<{count}Q", journal, start + HEAD_BYTES)) for start, count, _ in _lanes(journal)]


def oldest_ns(journal: bytes) -> int | None:
    """Return when the batch that runs for the longest time was begun, by the machine's monotonic clock.

    Examples
    --------
    >>> oldest_ns(struct.pack("<4Q", 2, 5000, 7, 9).ljust(LANE_BYTES, bytes(1)))
    5000
    """
    return min((began for _, _, began in _lanes(journal)), default=None)


def _lanes(journal: bytes) -> Iterator[tuple[int, int, int]]:
    for start in range(0, len(journal) - LANE_BYTES + 1, LANE_BYTES):
        count, began = struct.unpack_from("<2Q", journal, start)
        if 0 < count <= MOST_IDS:
            yield start, count, began
