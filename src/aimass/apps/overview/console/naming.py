"""Names and pages of the things in the lineage, which the log knows by id alone."""

from __future__ import annotations

from aimass.collector import Collector, ListSources, OneCollection
from aimass.kernel.errors import NotFound
from aimass.kernel.principal import SYSTEM
from aimass.lake import Lake
from aimass.serving import Serving
from aimass.training import OneSplit, Training
from aimass.web import PageVisit

ULID = 26
MOST = 500


def name_of(visit: PageVisit, kind: str, id_: str) -> tuple[str, str]:
    """Return title and page of a thing; one that nobody knows any more is named by the end of its id."""
    find = _FINDERS.get(kind)
    try:
        found = find(visit, id_) if find else None
    except NotFound:
        found = None
    if found is not None:
        return found
    page = visit.document(f"{kind}:{id_}")
    return (page.title, page.href) if page else (id_ if len(id_) != ULID else f"…{id_[-6:]}", "")


def _dataset_version(visit: PageVisit, id_: str) -> tuple[str, str] | None:
    place = visit.get(Lake).place_of_version(visit.workspace, id_)
    if place is None:
        return None
    return f"{place[0]} v{place[1]}", f"/{visit.workspace}/data/{place[0]}?version={place[1]}"


def _split(visit: PageVisit, id_: str) -> tuple[str, str]:
    found = visit.get(Training).get_split(SYSTEM, OneSplit(workspace=visit.workspace, split=id_))
    name = visit.say("%(dataset)s v%(version)s split", dataset=found.dataset, version=found.dataset_version)
    return name, f"/{visit.workspace}/data/{found.dataset}?version={found.dataset_version}"


def _collection(visit: PageVisit, id_: str) -> tuple[str, str]:
    wish = OneCollection(workspace=visit.workspace, collection=id_)
    found = visit.get(Collector).get_collection(SYSTEM, wish)
    return found.filename or f"{found.source} {found.number}", f"/{visit.workspace}/collections/{id_}"


def _source(visit: PageVisit, id_: str) -> tuple[str, str] | None:
    wish = ListSources(workspace=visit.workspace, limit=MOST)
    found = next((one for one in visit.get(Collector).list_sources(SYSTEM, wish).items if one.id == id_), None)
    return None if found is None else (found.name, f"/{visit.workspace}/sources/{found.slug}")


def _revision(visit: PageVisit, id_: str) -> tuple[str, str] | None:
    place = visit.get(Serving).place_of_revision(visit.workspace, id_)
    if place is None:
        return None
    return visit.say(
        "%(endpoint)s revision %(n)s", endpoint=place[0], n=place[1]
    ), f"/{visit.workspace}/services/{place[0]}"


def _endpoint(visit: PageVisit, id_: str) -> tuple[str, str]:
    return id_, f"/{visit.workspace}/services/{id_}"


_FINDERS = {
    "collection": _collection,
    "dataset_version": _dataset_version,
    "endpoint": _endpoint,
    "revision": _revision,
    "source": _source,
    "split": _split,
}
