"""Routes that are built when they are first asked for: most are never called in the life of a process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

_REST = ":path}"


class LateRoute:
    """One route that is not built yet.

    Parameters
    ----------
    path
        Its path.
    build
        Makes the route itself; called once.

    Examples
    --------
    >>> jobs = LateRoute("/{workspace}/jobs", lambda: APIRoute("/{workspace}/jobs", print))
    >>> jobs.may_match(["", "demo", "jobs"]), jobs.may_match(["", "demo", "runs"]), jobs.may_match(["", "demo"])
    (True, False, False)
    >>> rest = LateRoute("/files/{name:path}", lambda: APIRoute("/files/{name:path}", print))
    >>> rest.may_match(["", "files", "a", "b"]), rest.may_match(["", "else"])
    (True, False)
    """

    def __init__(self, path: str, build: Callable[[], APIRoute]) -> None:
        self._build = build
        self.takes_rest = _REST in path
        parts = _split(path.partition(_REST)[0])
        self._parts = tuple(None if "{" in part else part for part in parts)

    @property
    def length(self) -> int:
        """How many parts the path has."""
        return len(self._parts)

    def may_have(self, length: int) -> bool:
        """Tell whether a path of so many parts may be the one of this route."""
        return length >= len(self._parts) if self.takes_rest else length == len(self._parts)

    def may_match(self, parts: Sequence[str]) -> bool:
        """Tell whether the path of a request may be the one of this route."""
        return self.may_have(len(parts)) and all(
            own is None or own == part for own, part in zip(self._parts, parts, strict=False)
        )

    @cached_property
    def route(self) -> APIRoute:
        """The route itself."""
        return self._build()


class LateRoutes(BaseRoute):
    """Routes of which the first that fits answers, as in a router; only what may fit is built.

    Parameters
    ----------
    routes
        The routes, in their order.
    """

    def __init__(self, routes: Iterable[LateRoute] = ()) -> None:
        self.late = list(routes)
        self._by_length: dict[int, list[LateRoute]] | None = None

    def add(self, routes: Iterable[LateRoute]) -> None:
        """Put routes behind those that are there."""
        self.late.extend(routes)
        self._by_length = None

    def all(self) -> list[BaseRoute]:
        """Return every route, built; for the description of the whole."""
        return [each.route for each in self.late]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Find the route of a request; one with another method is remembered, as a router does."""
        partial: tuple[Match, Scope] = Match.NONE, {}
        if scope["type"] != "http":
            return partial
        parts = _split(scope["path"].removeprefix(scope.get("root_path", "")))
        for each in self._candidates(len(parts)):
            if each.may_match(parts):
                match, child = each.route.matches(scope)
                if match == Match.FULL:
                    return match, child
                if match == Match.PARTIAL and partial[0] == Match.NONE:
                    partial = match, child
        return partial

    def _candidates(self, length: int) -> list[LateRoute]:
        """Return the routes that a path of so many parts may be of; those that take a rest stand under -1 too."""
        known = self._by_length
        if known is None:
            lengths = {each.length for each in self.late}
            known = {n: [each for each in self.late if each.may_have(n)] for n in lengths}
            known[-1] = [each for each in self.late if each.takes_rest]
            self._by_length = known
        return known.get(length, known[-1])

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the route that was found answer."""
        await scope["route"].handle(scope, receive, send)


def _split(path: str) -> list[str]:
    return path.split("/")
