from __future__ import annotations

from tests.fixtures.stage import live, stage

__all__ = ["live", "stage"]
