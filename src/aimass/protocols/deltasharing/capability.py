"""The protocol Delta Sharing announces itself."""

from __future__ import annotations

from aimass.kernel.capability import Capability
from aimass.kernel.layout import DataDir
from aimass.kernel.registry import Registry
from aimass.protocols.deltasharing.links import Links

CAPABILITY = Capability(
    name="protocols.deltasharing",
    title="Delta Sharing",
    requires=("lake",),
    build="aimass.protocols.deltasharing.capability:build",
    protocol="aimass.protocols.deltasharing.api:router",
)


def build(registry: Registry) -> Links:
    """Build what signs the addresses of files."""
    return Links.kept(registry.get(DataDir).keys / "delta-sharing.json")
