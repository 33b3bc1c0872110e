"""The blob store: immutable bytes addressed by their SHA-256."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.blobs.cache import BlobCache
    from aimass.infra.blobs.folder import FolderBlobs
    from aimass.infra.blobs.inputs import unplaced, with_inputs
    from aimass.infra.blobs.objects import ObjectBlobs
    from aimass.infra.blobs.port import Blob, Blobs

__getattr__, __dir__ = door(
    __name__,
    {
        "Blob": "aimass.infra.blobs.port",
        "BlobCache": "aimass.infra.blobs.cache",
        "Blobs": "aimass.infra.blobs.port",
        "FolderBlobs": "aimass.infra.blobs.folder",
        "ObjectBlobs": "aimass.infra.blobs.objects",
        "unplaced": "aimass.infra.blobs.inputs",
        "with_inputs": "aimass.infra.blobs.inputs",
    },
)
__all__ = ["Blob", "BlobCache", "Blobs", "FolderBlobs", "ObjectBlobs", "unplaced", "with_inputs"]
