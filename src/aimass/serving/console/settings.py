"""What a service keeps of its requests and what it allows, changed with a look at the difference first."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form, Response
from pydantic import BaseModel, ConfigDict

from aimass.serving.console.shown import PATH, opened
from aimass.serving.domain.commands import ChangeEndpoint
from aimass.serving.domain.things import MIB, Endpoint, Unseen
from aimass.serving.service.serving import Serving
from aimass.web import Visit, page_router

router = page_router()
GIB = 1024 * MIB


class Wish(BaseModel):
    """The form, in the units that people write; ``version`` is that of the service when it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    description: str = ""
    timeout_s: float
    max_body_mib: float
    sample_percent: float
    payload: bool = False
    retention_days: int
    max_record_gib: float
    unseen: Unseen

    @classmethod
    def of(cls, one: Endpoint) -> Wish:
        """Return the present settings."""
        return cls(
            version=one.version,
            description=one.description,
            timeout_s=one.timeout_s,
            max_body_mib=one.max_body_bytes / MIB,
            sample_percent=one.record.sample * 100,
            payload=one.record.payload,
            retention_days=one.record.retention_days,
            max_record_gib=one.record.max_bytes / GIB,
            unseen=one.unseen,
        )


@router.get(f"{PATH}/config")
def config(visit: Visit, endpoint: str) -> Response:
    """What does this service allow and keep, and how do I change that safely?"""
    shared = opened(visit, endpoint, "config")
    parts = {"service-head": "serving/_head.html"}
    return visit.render("serving/config.html", parts=parts, **shared, wish=Wish.of(shared["one"]))


@router.post(f"{PATH}/config/difference")
def preview(visit: Visit, endpoint: str, wish: Annotated[Wish, Form()]) -> Response:
    """Show what would change."""
    shared = opened(visit, endpoint, "config")
    lines = difference(Wish.of(shared["one"]), wish)
    return visit.render("serving/_difference.html", **shared, lines=lines, given=wish.model_dump())


@router.post(f"{PATH}/config")
def change(visit: Visit, endpoint: str, wish: Annotated[Wish, Form()]) -> Response:
    """Change the settings, unless somebody else did since they were read."""
    command = ChangeEndpoint(
        workspace=visit.workspace,
        endpoint=endpoint,
        description=wish.description,
        timeout_s=wish.timeout_s,
        max_body_bytes=round(wish.max_body_mib * MIB),
        sample=wish.sample_percent / 100,
        payload=wish.payload,
        retention_days=wish.retention_days,
        max_record_bytes=round(wish.max_record_gib * GIB),
        unseen=wish.unseen,
        expected_version=wish.version,
    )
    visit.get(Serving).change_endpoint(visit.who, command)
    return visit.go(f"/{visit.workspace}/services/{endpoint}/config", toast=visit.say("The settings were changed"))


def difference(before: Wish, after: Wish) -> list[tuple[str, str]]:
    """Return the lines of a difference.

    Examples
    --------
    >>> given = {"max_body_mib": 16, "sample_percent": 100, "retention_days": 90, "max_record_gib": 10, "unseen": "model"}
    >>> difference(Wish(version=1, timeout_s=30, **given), Wish(version=1, timeout_s=5, **given))
    [('-', 'timeout_s: 30'), ('+', 'timeout_s: 5')]
    """
    lines: list[tuple[str, str]] = []
    for name in _names():
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            lines += [("-", f"{name}: {_written(old)}"), ("+", f"{name}: {_written(new)}")]
    return lines


def _names() -> list[str]:
    return [name for name in Wish.model_fields if name != "version"]


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
