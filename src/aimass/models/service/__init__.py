"""Use cases of the room models."""

from __future__ import annotations
