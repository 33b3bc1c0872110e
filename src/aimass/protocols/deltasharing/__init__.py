"""Delta Sharing: shared tables for the clients of others, in the protocol's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.protocols.deltasharing.capability import CAPABILITY

__getattr__, __dir__ = door(__name__, {"CAPABILITY": "aimass.protocols.deltasharing.capability"})
__all__ = ["CAPABILITY"]
