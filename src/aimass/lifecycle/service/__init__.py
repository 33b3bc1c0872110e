"""The use cases of the service orchestrator."""

from __future__ import annotations

from aimass.lifecycle.service.advance import Advancer
from aimass.lifecycle.service.pipelines import Lifecycle, build
from aimass.lifecycle.service.releases import Releaser

__all__ = ["Advancer", "Lifecycle", "Releaser", "build"]
