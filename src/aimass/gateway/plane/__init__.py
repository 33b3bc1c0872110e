"""The data plane: an own HTTP/1.1 server that answers inference and passes everything else through to control."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.gateway.plane.server import serve

__getattr__, __dir__ = door(__name__, {"serve": "aimass.gateway.plane.server"})
__all__ = ["serve"]
