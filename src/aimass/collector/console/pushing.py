"""What is pushed to a source: a source of a push connection, and its webhook."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Form, Response

from aimass.collector.commands import CollectStreams, LoadedColumn, SetHook, StreamWish
from aimass.collector.domain import OneSource
from aimass.collector.service.collector import Collector
from aimass.kernel.errors import Invalid
from aimass.web import Visit, page_router

router = page_router()
SOURCE = "/{workspace}/sources/{source}/hook"
REFRESH = '{"refresh": {}}'
TYPES = ("string", "integer", "float", "boolean", "timestamp", "date", "decimal", "json")


@router.post("/{workspace}/connections/{connection}/pushed")
def make(visit: Visit, connection: str, name: Annotated[str, Form()], columns: Annotated[str, Form()] = "") -> Response:
    """Make a source that rows are pushed to."""
    wishes = [StreamWish(stream=name, columns=columns_of(columns))]
    wish = CollectStreams(workspace=visit.workspace, connection=connection, streams=wishes)
    (made,) = visit.get(Collector).collect_streams(visit.who, wish)
    text = visit.say("%(name)s was created", name=made.name)
    return visit.go(f"/{visit.workspace}/sources/{made.slug}", toast=text)


@router.post(SOURCE)
def set_hook(
    visit: Visit,
    source: str,
    scheme: Annotated[Literal["github", "stripe", "standard"], Form()],
    secret: Annotated[str, Form()] = "",
    keep_h: Annotated[float, Form(ge=0, le=720)] = 24.0,
) -> Response:
    """Give its webhook a secret, and show it this once."""
    wish = SetHook(
        workspace=visit.workspace, source=source, scheme=scheme, secret=secret.strip() or None, keep_h=keep_h
    )
    made = visit.get(Collector).set_hook(visit.who, wish)
    page = visit.render("collector/_new_hook.html", made=made)
    page.headers["HX-Trigger"] = REFRESH
    return page


@router.delete(SOURCE)
def close_hook(visit: Visit, source: str) -> Response:
    """Take no webhooks any more."""
    visit.get(Collector).close_hook(visit.who, OneSource(workspace=visit.workspace, source=source))
    return visit.go(f"/{visit.workspace}/sources/{source}", toast=visit.say("The address is gone for good"))


def columns_of(text: str) -> list[LoadedColumn]:
    r"""Read columns, one a line: a name, and a type behind the last space.

    Examples
    --------
    >>> [(one.name, one.type) for one in columns_of("id integer\nwho did it string")]
    [('id', 'integer'), ('who did it', 'string')]
    """
    found: list[LoadedColumn] = []
    for line in filter(str.strip, text.splitlines()):
        name, _, kind = line.strip().rpartition(" ")
        if not name or kind not in TYPES:
            raise Invalid(f"{line.strip()!r} is no name with a type", field="columns", value=line, allowed=list(TYPES))
        told: Any = kind
        found.append(LoadedColumn(name=name.strip(), type=told))
    return found
