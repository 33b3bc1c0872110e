"""The facts that the room tells."""

from __future__ import annotations

COLLECTED = "storage.collection.finished"
ALL = (COLLECTED,)
