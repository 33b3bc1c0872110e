"""What the C library holds of the memory of this process: how much is in use, and how to give the rest back."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

_FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of mallopt
_LARGE = 4 * 1024 * 1024


class _Info(ctypes.Structure):
    """What ``mallinfo2`` of the GNU C library returns."""

    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS]


@cache
def _library() -> Any:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    if hasattr(library, "mallinfo2"):
        library.mallinfo2.restype = _Info
    return library


def used_bytes() -> int:
    """Return how many bytes are allocated in all arenas together; 0 where the C library does not tell.

    Examples
    --------
    >>> before = used_bytes()
    >>> kept = bytes(1_000_000)
    >>> used_bytes() == 0 or used_bytes() - before > 900_000
    True
    """
    library = _library()
    if library is None or not hasattr(library, "mallinfo2"):
        return 0
    info = library.mallinfo2()
    return info.uordblks + info.hblkhd


def give_back() -> None:
    """Let the C library return to the system what was freed; it keeps it otherwise."""
    library = _library()
    if library is not None and hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def keep_little() -> None:
    """Let the C library keep little of what threads free.

    Left alone it raises both thresholds to what was freed last, and then keeps up to 64 MiB at the end of the memory of
    each thread, which no trimming returns.
    """
    library = _library()
    if library is not None and hasattr(library, "mallopt"):
        library.mallopt(_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_TRIM_THRESHOLD, _LARGE)
