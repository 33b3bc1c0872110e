"""What can be called behind the gateway: models and services, each described as OpenAPI, and a request that somebody tries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.gateway.domain.inference import Cursor, Limit, Workspace

Kind = Literal["model", "service"]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One thing that can be called.

    Attributes
    ----------
    kind
        ``model`` (an endpoint) or ``service`` (a route to one).
    path
        Where callers reach it.
    about
        What it is for: the model version that answers, or the title of the route.
    """

    kind: Kind
    name: str
    path: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListInterfaces:
    """Which of them are wanted, models first, each kind by name."""

    workspace: Workspace
    q: Annotated[str, MaxLen(255), doc("part of the name")] = ""
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetOpenapi:
    """What is to be described."""

    workspace: Workspace
    of: Annotated[str, MaxLen(300), doc("model:<endpoint> or service:<route>; everything when empty")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryRequest:
    """One request to a model or a service of the workspace, as yourself."""

    workspace: Workspace
    method: Annotated[Method, doc("HTTP method")]
    path: Annotated[str, MaxLen(4096), doc("/v2/models/<endpoint>/... or /s/<workspace>/<route>/..., with its query")]
    headers: Annotated[Mapping[str, str], doc("headers besides the key")] = field(default_factory=dict[str, str])
    body: Annotated[str, MaxLen(1 << 20), doc("body as text; none when empty")] = ""
    within_s: Annotated[float, Ge(1), Le(60), doc("longest wait for the whole answer")] = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came back.

    Attributes
    ----------
    body
        As text, at most 1 MiB of it; bytes that are no text are replaced.
    is_cut
        Whether there was more than is shown.
    seconds
        From sending to the whole answer, through the gateway.
    """

    status: int
    headers: Mapping[str, str]
    body: str
    is_cut: bool
    seconds: float
