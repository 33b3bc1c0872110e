"""Object stores that speak the protocol of S3: one bucket or a part of it, with conditional puts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.objects.bucket import Bucket, Found, Lost
    from aimass.infra.objects.checking import check_bucket, clock_gap
    from aimass.infra.objects.claiming import claim, claimed, release
    from aimass.infra.objects.settings import ObjectStoreSettings, Place, parse_place

__getattr__, __dir__ = door(
    __name__,
    {
        "Bucket": "aimass.infra.objects.bucket",
        "Found": "aimass.infra.objects.bucket",
        "Lost": "aimass.infra.objects.bucket",
        "ObjectStoreSettings": "aimass.infra.objects.settings",
        "Place": "aimass.infra.objects.settings",
        "check_bucket": "aimass.infra.objects.checking",
        "claim": "aimass.infra.objects.claiming",
        "claimed": "aimass.infra.objects.claiming",
        "clock_gap": "aimass.infra.objects.checking",
        "parse_place": "aimass.infra.objects.settings",
        "release": "aimass.infra.objects.claiming",
    },
)
__all__ = [
    "Bucket",
    "Found",
    "Lost",
    "ObjectStoreSettings",
    "Place",
    "check_bucket",
    "claim",
    "claimed",
    "clock_gap",
    "parse_place",
    "release",
]
