"""The pages of the console: their addresses, and the question that each answers on its first screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from inspect import getdoc
from typing import Any

from fastapi.responses import HTMLResponse

from aimass.kernel.capability import Capability, load

TOOLKIT = ("aimass.web.pages:router",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolePage:
    """One address of the console that people open.

    Attributes
    ----------
    question
        What the page answers; empty for an address that gives a part of a page or a file.
    """

    room: str
    path: str
    question: str


def console_pages(capabilities: Iterable[Capability]) -> list[ConsolePage]:
    """Return every address of the console that answers GET with HTML."""
    rooms = [("web", face) for face in TOOLKIT] + [(c.name, c.console) for c in capabilities if c.console]
    return [
        ConsolePage(room=room, path=route.path, question=question_of(route.endpoint))
        for room, face in rooms
        for route in _routes(load(face))
        if "GET" in route.methods and getattr(route.response_class, "value", route.response_class) is HTMLResponse
    ]


def _routes(router: Any) -> Iterator[Any]:
    for route in router.routes:
        if hasattr(route, "methods"):
            yield route
        else:
            yield from _routes(getattr(route, "original_router", route))


def question_of(page: Callable[..., Any]) -> str:
    """Return the question of a page, as its description says it: its first line, or the line that begins so.

    Examples
    --------
    >>> def storage():
    ...     '''Show it.
    ...
    ...     The question: what fills the disk?
    ...     '''
    >>> question_of(storage)
    'what fills the disk?'
    """
    lines = [line.strip() for line in (getdoc(page) or "").splitlines()]
    asked = [line.removeprefix("The question:").strip() for line in lines if line.startswith("The question:")]
    return next(iter(asked), lines[0] if lines and lines[0].endswith("?") else "")
