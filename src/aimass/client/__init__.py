"""The SDK: the same verbs as the command line, typed, sync and async."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.client.catalog import OPERATIONS
    from aimass.client.client import AsyncClient, Client
    from aimass.client.devices import DeviceCode, sign_device_out, sign_in_by_device
    from aimass.client.inference import Explanation
    from aimass.client.operations import Operation, Param
    from aimass.client.request import build
    from aimass.client.settings import (
        ClientSettings,
        DeviceTokens,
        KeptKey,
        config_path,
        keep_key,
        kept_key,
        save_settings,
        saved_settings,
    )
    from aimass.client.transport import Transport
    from aimass.client.verbs import ReleaseOrder

__getattr__, __dir__ = door(
    __name__,
    {
        "AsyncClient": "aimass.client.client",
        "Client": "aimass.client.client",
        "ClientSettings": "aimass.client.settings",
        "DeviceCode": "aimass.client.devices",
        "DeviceTokens": "aimass.client.settings",
        "Explanation": "aimass.client.inference",
        "KeptKey": "aimass.client.settings",
        "OPERATIONS": "aimass.client.catalog",
        "Operation": "aimass.client.operations",
        "Param": "aimass.client.operations",
        "ReleaseOrder": "aimass.client.verbs",
        "Transport": "aimass.client.transport",
        "build": "aimass.client.request",
        "config_path": "aimass.client.settings",
        "keep_key": "aimass.client.settings",
        "kept_key": "aimass.client.settings",
        "save_settings": "aimass.client.settings",
        "saved_settings": "aimass.client.settings",
        "sign_device_out": "aimass.client.devices",
        "sign_in_by_device": "aimass.client.devices",
    },
)
__all__ = [
    "OPERATIONS",
    "AsyncClient",
    "Client",
    "ClientSettings",
    "DeviceCode",
    "DeviceTokens",
    "Explanation",
    "KeptKey",
    "Operation",
    "Param",
    "ReleaseOrder",
    "Transport",
    "build",
    "config_path",
    "keep_key",
    "kept_key",
    "save_settings",
    "saved_settings",
    "sign_device_out",
    "sign_in_by_device",
]
