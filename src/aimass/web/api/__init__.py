"""The REST side of the toolkit: routes derived from use cases, problems, the live channel, the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.web.api.app import AppParts, create_app
    from aimass.web.api.callers import caller, registry_of
    from aimass.web.api.derive import UseCaseRoutes

__getattr__, __dir__ = door(
    __name__,
    {
        "AppParts": "aimass.web.api.app",
        "caller": "aimass.web.api.callers",
        "create_app": "aimass.web.api.app",
        "UseCaseRoutes": "aimass.web.api.derive",
        "registry_of": "aimass.web.api.callers",
    },
)
__all__ = ["AppParts", "UseCaseRoutes", "caller", "create_app", "registry_of"]
