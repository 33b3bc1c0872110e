"""Find the capabilities: built-in rooms come through the same door as a stranger's wheel."""

from __future__ import annotations

from importlib.metadata import entry_points

from aimass.kernel.capability import Capability, in_start_order

GROUP = "aimass.capabilities"


def capabilities() -> list[Capability]:
    """Return every installed capability, each after what it requires.

    Examples
    --------
    >>> "access" in [c.name for c in capabilities()]
    True
    """
    return in_start_order(point.load() for point in sorted(entry_points(group=GROUP), key=lambda p: p.name))
