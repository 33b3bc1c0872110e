"""Use cases of the gateway's control side."""

from __future__ import annotations

from aimass.gateway.service.callers import Callers
from aimass.gateway.service.edges import Edges
from aimass.gateway.service.ground import Ground
from aimass.gateway.service.inference import Inference
from aimass.gateway.service.interfaces import Interfaces
from aimass.gateway.service.routes import Routes
from aimass.gateway.service.slow import Slow
from aimass.gateway.service.upstreams import Upstreams


class Gateway(Inference, Upstreams, Routes, Callers, Slow, Interfaces, Edges):
    """What the one public door lets in, what stands behind it, and how far its workers are."""


__all__ = ["Gateway", "Ground"]
