"""Errors of the room collector."""

from __future__ import annotations

from aimass.kernel.errors import TooLarge


def too_large(limit: int) -> TooLarge:
    """Return the error for an upload over the limit."""
    return TooLarge(
        f"an upload may have {limit} bytes",
        allowed=limit,
        hint="send parts, or raise AIMASS_COLLECTOR_MAX_UPLOAD_BYTES",
    )
