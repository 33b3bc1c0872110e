"""What the room tells."""

from __future__ import annotations

LIMIT_CHANGED = "gateway.limit.changed"
ALL = (LIMIT_CHANGED,)
