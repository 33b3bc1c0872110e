"""A use case is declared once, on the service method; REST route, SDK method and CLI verb come from it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_type_hints

from annotated_types import doc

from aimass.kernel.principal import Principal

F = TypeVar("F", bound=Callable[..., Any])
PUBLIC = "public"
SIGNED_IN = "signed-in"
AnyWorkspace = Annotated[str, doc("slug of the workspace; * stands for every one")]


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCase:
    """The declaration of one use case.

    Attributes
    ----------
    name
        Operation id, ``<room>.<method>``.
    method, path
        HTTP method, and path below ``/api/v1`` with ``{fields}`` of the command.
    permission
        ``<room>.<verb>``, or ``signed-in`` or ``public``.
    on
        Kind of the object whose slug is in the command field of the same name; grants on one object then count.
    cli
        The words after ``aimass``; empty when there is no command.
    progress
        The use case that shows how far the result is, ``<room>.<method>``, for what goes on after the answer.
    """

    name: str
    method: str
    path: str
    permission: str
    on: str | None
    cli: str
    status: int
    summary: str
    help: str
    function: Callable[..., Any]
    progress: str = ""

    @property
    def hints(self) -> dict[str, Any]:
        """Return the resolved types of the method."""
        return get_type_hints(self.function, include_extras=True)

    @property
    def command(self) -> type | None:
        """Return the class of the command, or None for a use case without input."""
        return self.hints.get("command")

    @property
    def is_everywhere(self) -> bool:
        """Tell whether ``*`` may stand for the workspace of the command; who asks needs the permission on all of them."""
        if self.command is None:
            return False
        return get_type_hints(self.command, include_extras=True).get("workspace") == AnyWorkspace

    @property
    def is_stoppable(self) -> bool:
        """Tell whether the method takes ``stop``, which ends it when nobody waits for its result any more."""
        return "stop" in self.function.__code__.co_varnames[: _arguments(self.function)]

    @property
    def result(self) -> Any:
        """Return the type of the result."""
        return self.hints.get("return", type(None))


def use_case(
    route: str,
    *,
    permission: str,
    cli: str = "",
    on: str | None = None,
    status: int = 200,
    progress: str = "",
) -> Callable[[F], F]:
    """Declare a service method ``(self, who, command)`` as a use case, and guard it by its permission.

    A method that also takes ``stop=None`` is given what ends it when who called it has gone away.

    Parameters
    ----------
    route
        ``"<METHOD> <path>"`` below ``/api/v1``, for example ``"GET /workspaces/{workspace}/datasets"``.
    permission, cli, on, status, progress
        See :class:`UseCase`. With a room permission the command needs a field ``workspace``.
    """
    method, _, path = route.partition(" ")

    def declare(function: F) -> F:
        room = function.__module__.removeprefix("aimass.").removeprefix("apps.").partition(".service")[0]
        text = (function.__doc__ or "").strip()
        case = UseCase(
            name=f"{room}.{function.__name__}",
            method=method,
            path=path,
            permission=permission,
            on=on,
            cli=cli,
            status=status,
            summary=text.partition("\n")[0],
            help=text,
            function=function,
            progress=progress,
        )

        @functools.wraps(function)
        def guarded(self: Any, who: Principal, *command: Any, **more: Any) -> Any:
            guard(case, who, command[0] if command else None)
            return function(self, who, *command, **more)

        guarded.__use_case__ = case  # pyright: ignore[reportAttributeAccessIssue]
        return guarded  # pyright: ignore[reportReturnType]

    return declare


def _arguments(function: Callable[..., Any]) -> int:
    return function.__code__.co_argcount + function.__code__.co_kwonlyargcount


def guard(case: UseCase, who: Principal, command: Any) -> None:
    """Refuse a principal who may not run this use case with this command."""
    if case.permission == PUBLIC:
        return
    if case.permission == SIGNED_IN:
        if who.kind == "anonymous":
            who.need("access.read", "")
        return
    object_ = f"{case.on}:{getattr(command, case.on)}" if case.on else None
    who.need(case.permission, getattr(command, "workspace", "*"), object_)


def use_cases(service: object) -> Iterator[UseCase]:
    """Yield the use cases that a service (class or object) declares, by name."""
    for name in sorted(dir(service)):
        case = getattr(getattr(service, name, None), "__use_case__", None)
        if case is not None:
            yield case
