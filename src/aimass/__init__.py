"""AI Mass: build, train, deploy, manage and scale AI models and AI services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass._version import __version__
from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.client import AsyncClient, Client

__getattr__, __dir__ = door(__name__, {"Client": "aimass.client", "AsyncClient": "aimass.client"})
__all__ = ["AsyncClient", "Client", "__version__"]
