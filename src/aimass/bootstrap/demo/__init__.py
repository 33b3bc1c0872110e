"""The demo: the whole main job on the Telco churn data, told through the SDK alone."""

from __future__ import annotations

from aimass.bootstrap.demo.tell import tell

__all__ = ["tell"]
