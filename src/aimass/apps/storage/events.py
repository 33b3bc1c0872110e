"""The facts that the room tells."""

from __future__ import annotations

COLLECTED = "storage.collection.finished"
ERASURE_ASKED = "storage.erasure.asked"
ERASED = "storage.erasure.finished"
ALL = (COLLECTED, ERASURE_ASKED, ERASED)
