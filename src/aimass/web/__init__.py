"""The toolkit of HTTP API and console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.web.api.callers import caller, registry_of
    from aimass.web.api.waiting import while_waiting
    from aimass.web.console import Badge, Console, ConsoleSetup, Workspace
    from aimass.web.pictures import Picture, picture_of
    from aimass.web.session import end_session, require_csrf, session_of, start_session
    from aimass.web.visit import PageVisit, Panel, Visit, page_router

__getattr__, __dir__ = door(
    __name__,
    {
        "Badge": "aimass.web.console",
        "Console": "aimass.web.console",
        "ConsoleSetup": "aimass.web.console",
        "PageVisit": "aimass.web.visit",
        "Panel": "aimass.web.visit",
        "Picture": "aimass.web.pictures",
        "Visit": "aimass.web.visit",
        "Workspace": "aimass.web.console",
        "caller": "aimass.web.api.callers",
        "end_session": "aimass.web.session",
        "page_router": "aimass.web.visit",
        "picture_of": "aimass.web.pictures",
        "registry_of": "aimass.web.api.callers",
        "require_csrf": "aimass.web.session",
        "session_of": "aimass.web.session",
        "start_session": "aimass.web.session",
        "while_waiting": "aimass.web.api.waiting",
    },
)
__all__ = [
    "Badge",
    "Console",
    "ConsoleSetup",
    "PageVisit",
    "Panel",
    "Picture",
    "Visit",
    "Workspace",
    "caller",
    "end_session",
    "page_router",
    "picture_of",
    "registry_of",
    "require_csrf",
    "session_of",
    "start_session",
    "while_waiting",
]
