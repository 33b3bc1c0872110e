"""How often Python looks for circles of objects while rows go by: seldom, because rows hold none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS = 250_000  # new ones that did not go since the last look: several parts of rows


@contextmanager
def seldom_tidied() -> Iterator[None]:
    """Look for circles after many new objects instead of after 700, which a part of 50,000 rows sets off 70 times for nothing.

    What is not in a circle goes at once as ever. Circles go too, a little later.

    Examples
    --------
    >>> before = gc.get_threshold()
    >>> with seldom_tidied():
    ...     during = gc.get_threshold()[0]
    >>> during, gc.get_threshold() == before
    (250000, True)
    """
    before = gc.get_threshold()
    gc.set_threshold(OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
