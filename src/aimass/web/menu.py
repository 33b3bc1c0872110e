"""The menu: eight places, filled from the pages that the rooms announce and the visitor may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aimass.kernel.capability import Capability, Place
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.usecase import SIGNED_IN


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One of the eight places: its title, icon and the key after ``g``."""

    id: str
    title: str
    icon: str
    key: str


AREAS = (
    Area(id="overview", title="Overview", icon="layout-dashboard", key="o"),
    Area(id="data", title="Data", icon="database", key="d"),
    Area(id="models", title="Models", icon="box", key="m"),
    Area(id="work", title="Work", icon="activity", key="w"),
    Area(id="services", title="Services", icon="rocket", key="s"),
    Area(id="insights", title="Insights", icon="lightbulb", key="i"),
    Area(id="operate", title="Operate", icon="server", key="p"),
    Area(id="settings", title="Settings", icon="settings", key="e"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuPage:
    """A page in the menu, with its address in the present workspace."""

    title: str
    icon: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuArea:
    """A place in the menu, with the pages inside it."""

    area: Area
    pages: tuple[MenuPage, ...]
    current: bool

    @property
    def href(self) -> str:
        """Return the address of the first page."""
        return self.pages[0].href


def menu(capabilities: Iterable[Capability], who: Principal, workspace: str, path: str) -> list[MenuArea]:
    """Return the places with at least one page that the visitor may see.

    Parameters
    ----------
    capabilities
        All rooms.
    who, workspace
        The visitor, and the workspace (slug) the page is in.
    path
        Path of the page, to mark where the visitor is: the longest menu address that it starts with.
    """
    allowed = [place for c in capabilities for place in c.pages if _allowed(place, who, workspace)]
    above = [href for href in (_href(place, workspace) for place in allowed) if _within(path, href)]
    here = max(above, key=len) if above else ""
    areas: list[MenuArea] = []
    for area in AREAS:
        mine = sorted((p for p in allowed if p.place == area.id), key=lambda p: (p.order, p.title))
        pages = tuple(_page(place, _href(place, workspace), here) for place in mine)
        if pages:
            areas.append(MenuArea(area=area, pages=pages, current=any(page.current for page in pages)))
    return areas


def _page(place: Place, href: str, here: str) -> MenuPage:
    return MenuPage(title=place.title, icon=place.icon, href=href, current=href == here)


def _href(place: Place, workspace: str) -> str:
    return place.path.replace("{workspace}", workspace)


def _within(path: str, href: str) -> bool:
    return path == href or (href != "/" and path.startswith(href + "/"))


def _allowed(place: Place, who: Principal, workspace: str) -> bool:
    if place.permission == SIGNED_IN:
        return who.kind != "anonymous"
    of_workspace = "{workspace}" in place.path
    if of_workspace and not workspace:
        return False
    return who.allows(place.permission, workspace if of_workspace or place.path == "/" else ANYWHERE)
