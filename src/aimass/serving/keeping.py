"""What the room needs; asked by collections."""

from __future__ import annotations

from collections.abc import Iterator

from aimass.kernel.keeping import Needed
from aimass.kernel.registry import Registry
from aimass.models import Models
from aimass.serving.service.serving import Serving


def blobs(registry: Registry) -> Iterator[Needed]:
    """Yield the packages that deployments answer with, or may be rolled back to; those that answer stay unpacked."""
    models = registry.get(Models)
    for digest, is_live in registry.get(Serving).needed_packages().items():
        for sha256 in models.blobs_of(digest):
            yield Needed(sha256=sha256, what="packages that serve", is_laid_out=is_live and sha256 == digest)
