"""While a process starts, it makes what stays for as long as it lives: nothing of that is worth looking for garbage in."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def lasting() -> Generator[None]:
    """Look for no garbage inside the block, and never again in what it leaves behind.

    Python looks through all young objects whenever some hundreds were made, and through all there are now and then. Modules,
    classes and routes are made by the hundred thousand and none of them goes: this was a fifth of the start of control.

    Examples
    --------
    >>> with lasting():
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
