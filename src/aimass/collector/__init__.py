"""The collector: sources, collections and the quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.collector.capability import CAPABILITY
    from aimass.collector.commands import (
        CollectStreams,
        Connection,
        CreateConnection,
        LoadedColumn,
        OneConnection,
        StreamWish,
    )
    from aimass.collector.domain import (
        Collection,
        CreateSource,
        ListCollections,
        ListQuarantine,
        ListSources,
        MendedRow,
        OneCollection,
        OneSource,
        PinTypes,
        Proposal,
        ProposeTypes,
        ReplayQuarantine,
        Source,
        StartCollection,
        Upload,
    )
    from aimass.collector.service.collector import Collector

_DOMAIN = "aimass.collector.domain"
__getattr__, __dir__ = door(
    __name__,
    {
        "CAPABILITY": "aimass.collector.capability",
        "CollectStreams": "aimass.collector.commands",
        "Connection": "aimass.collector.commands",
        "CreateConnection": "aimass.collector.commands",
        "LoadedColumn": "aimass.collector.commands",
        "OneConnection": "aimass.collector.commands",
        "StreamWish": "aimass.collector.commands",
        "Collection": _DOMAIN,
        "Collector": "aimass.collector.service.collector",
        "CreateSource": _DOMAIN,
        "ListCollections": _DOMAIN,
        "ListQuarantine": _DOMAIN,
        "ListSources": _DOMAIN,
        "OneCollection": _DOMAIN,
        "OneSource": _DOMAIN,
        "PinTypes": _DOMAIN,
        "Proposal": _DOMAIN,
        "ProposeTypes": _DOMAIN,
        "Upload": _DOMAIN,
        "MendedRow": _DOMAIN,
        "ReplayQuarantine": _DOMAIN,
        "Source": _DOMAIN,
        "StartCollection": _DOMAIN,
    },
)
__all__ = [
    "CAPABILITY",
    "CollectStreams",
    "Collection",
    "Collector",
    "Connection",
    "CreateConnection",
    "CreateSource",
    "ListCollections",
    "ListQuarantine",
    "ListSources",
    "LoadedColumn",
    "MendedRow",
    "OneCollection",
    "OneConnection",
    "OneSource",
    "PinTypes",
    "Proposal",
    "ProposeTypes",
    "ReplayQuarantine",
    "Source",
    "StartCollection",
    "StreamWish",
    "Upload",
]
