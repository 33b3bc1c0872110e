"""Sources, and the list of what they collected."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Response
from pydantic import BaseModel, NonNegativeFloat

from aimass.access import Access
from aimass.collector.commands import ChangeReading, DriftPolicy, ListDrift, Poison
from aimass.collector.domain import PUSHED, ChangeSource, ListCollections, ListSources, OneSource, StartCollection
from aimass.collector.proposals import ListProposals
from aimass.collector.service.collector import Collector
from aimass.kernel.errors import Invalid
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/sources"
RECENT = 10
LONGEST_S = 31_536_000


@router.get(PATH)
def sources(visit: Visit, q: str = "", cursor: str | None = None) -> Response:
    """Does data keep coming in, and did anything fail?"""
    collector = visit.get(Collector)
    found = collector.list_sources(visit.who, ListSources(workspace=visit.workspace, cursor=cursor))
    shown = [one for one in found.items if q.lower() in f"{one.name} {one.slug} {one.dataset}".lower()]
    wish = ListCollections(workspace=visit.workspace, limit=RECENT)
    recent = collector.list_collections(visit.who, wish).items
    last = {one.source: one for one in reversed(recent)}
    parts = {"sources": "collector/_sources.html"}
    more = {"next": found.next, "q": q, "with_source": True}
    return visit.render("collector/sources.html", parts=parts, found=shown, recent=recent, last=last, **more)


@router.get(f"{PATH}/{{source}}")
def source(visit: Visit, source: str, cursor: str | None = None) -> Response:
    """How is this source read, where does its data go, and how did its last collections end?"""
    collector = visit.get(Collector)
    found = collector.get_source(visit.who, OneSource(workspace=visit.workspace, source=source))
    is_pushed = found.kind == PUSHED
    wish = ListCollections(workspace=visit.workspace, source=source, limit=RECENT, cursor=cursor)
    past = collector.list_collections(visit.who, wish)
    drift = collector.list_drift(visit.who, ListDrift(workspace=visit.workspace, source=source, limit=20)).items
    inbox = collector.get_inbox(visit.who, OneSource(workspace=visit.workspace, source=source)) if is_pushed else None
    proposed = collector.list_proposals(visit.who, ListProposals(workspace=visit.workspace, source=source, limit=200))
    parts = {"collections": "collector/_collections.html", "inbox": "collector/_inbox.html"}
    return visit.render(
        "collector/source.html",
        inbox=inbox,
        drift=drift,
        people=visit.get(Access).names_of(note.decided_by for note in drift if note.decided_by),
        waiting=[one for one in proposed.items if one.state == "WAITING"],
        rejected=[one for one in proposed.items if one.state == "REJECTED"],
        parts=parts,
        found=found,
        recent=past.items,
        next=past.next,
        dataset=found.dataset,
        with_source=False,
        q="",
        state="",
    )


@router.post(f"{PATH}/{{source}}")
def change(
    visit: Visit,
    source: str,
    name: Annotated[str, Form()],
    mode: Annotated[str, Form()],
    max_reject_percent: Annotated[float, Form(ge=0, le=100)],
    expected_version: Annotated[int, Form()],
) -> Response:
    """Change how a source is loaded."""
    wish = ChangeSource(
        workspace=visit.workspace,
        source=source,
        name=name,
        mode="replace" if mode == "replace" else "append",
        max_reject_rate=max_reject_percent / 100,
        expected_version=expected_version,
    )
    visit.get(Collector).change_source(visit.who, wish)
    return visit.go(f"/{visit.workspace}/sources/{source}", toast=visit.say("Saved"))


class ReadingForm(BaseModel):
    """What the dialog sends."""

    drift: DriftPolicy
    poison: Poison
    expected_version: int
    every_s: str = ""
    lag_s: NonNegativeFloat | None = None


@router.post(f"{PATH}/{{source}}/reading")
def change_reading(visit: Visit, source: str, form: Annotated[ReadingForm, Form()]) -> Response:
    """Change how it is read, and whether it goes on by itself."""
    given = {**form.model_dump(), "every_s": _seconds(form.every_s)}
    wish = ChangeReading(workspace=visit.workspace, source=source, **given)
    visit.get(Collector).change_reading(visit.who, wish)
    return visit.go(f"/{visit.workspace}/sources/{source}", toast=visit.say("Saved"))


def _seconds(text: str) -> float:
    """Read the pause between two collections; empty means that none begins by itself."""
    try:
        found = float(text) if text.strip() else -1.0
    except ValueError:
        found = -2.0
    if found != -1.0 and not 0 <= found <= LONGEST_S:
        raise Invalid("that is no pause", field="every_s", value=text, allowed=f"0 to {LONGEST_S} seconds, or empty")
    return found


@router.post(f"{PATH}/{{source}}/collections")
def collect(visit: Visit, source: str) -> Response:
    """Collect from its connection now."""
    wish = StartCollection(workspace=visit.workspace, source=source)
    started = visit.get(Collector).start_collection(visit.who, wish)
    return visit.go(f"/{visit.workspace}/collections/{started.id}")


@router.post(f"{PATH}/{{source}}/pause")
def pause(visit: Visit, source: str) -> Response:
    """Let it rest."""
    visit.get(Collector).pause_source(visit.who, OneSource(workspace=visit.workspace, source=source))
    return visit.go(f"/{visit.workspace}/sources/{source}", toast=visit.say("It is paused"))


@router.post(f"{PATH}/{{source}}/resume")
def resume(visit: Visit, source: str) -> Response:
    """Let it go on from where its last commit ended."""
    visit.get(Collector).resume_source(visit.who, OneSource(workspace=visit.workspace, source=source))
    return visit.go(f"/{visit.workspace}/sources/{source}", toast=visit.say("It is ready again"))


@router.delete(f"{PATH}/{{source}}")
def delete(visit: Visit, source: str) -> Response:
    """Delete a source; its dataset stays."""
    visit.get(Collector).delete_source(visit.who, OneSource(workspace=visit.workspace, source=source))
    return visit.go(f"/{visit.workspace}/sources", toast=visit.say("The source is gone; its dataset stays"))
