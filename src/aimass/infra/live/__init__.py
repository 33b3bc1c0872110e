"""The live hub: what changes right now, from any thread of control to the open pages; nothing durable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.live.hub import Listener, LiveHub

__getattr__, __dir__ = door(__name__, {"LiveHub": "aimass.infra.live.hub", "Listener": "aimass.infra.live.hub"})
__all__ = ["Listener", "LiveHub"]
