"""The blob store: immutable bytes addressed by their SHA-256."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.blobs.folder import FolderBlobs
    from aimass.infra.blobs.port import Blob, Blobs

__getattr__, __dir__ = door(
    __name__,
    {"Blob": "aimass.infra.blobs.port", "Blobs": "aimass.infra.blobs.port", "FolderBlobs": "aimass.infra.blobs.folder"},
)
__all__ = ["Blob", "Blobs", "FolderBlobs"]
