"""A disk that is full is told as such, whichever library noticed it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl
from deltalake.exceptions import DeltaError

from aimass.kernel.errors import Unavailable


class DiskFull(Unavailable):
    """The disk is full: nothing was committed. Trying again helps only after somebody has made room."""


def full_disk(reason: Exception) -> DiskFull | None:
    """Return the error for a full disk if that is the reason.

    Examples
    --------
    >>> full_disk(OSError("No space left on device (os error 28)")).code
    'unavailable'
    """
    if "No space left" not in str(reason) and "os error 28" not in str(reason):
        return None
    return DiskFull("the disk is full: nothing was committed", hint="free some space and repeat")


@contextmanager
def minding_the_disk() -> Iterator[None]:
    """Raise :class:`DiskFull` in place of what a library says about it.

    Examples
    --------
    >>> with minding_the_disk():
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    ...
    aimass.lake.children.room.DiskFull: the disk is full: nothing was committed
    """
    try:
        yield
    except (OSError, DeltaError, pl.exceptions.PolarsError) as reason:
        told = full_disk(reason)
        if told is None:
            raise
        raise told from reason
