"""``aimass register`` where several servers of a service start at the same moment."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aimass.cli.register import _need_route, _need_upstream
from aimass.kernel.errors import Conflict, NotFound


def client(field: str) -> Any:
    """A client to whom everything is unknown, and to whom each creation says what another one took meanwhile."""

    def is_unknown(**_: str) -> None:
        raise NotFound

    def is_taken(**_: str) -> None:
        raise Conflict(field=field)

    groups = {
        "get_upstream": is_unknown,
        "get_route": is_unknown,
        "create_upstream": is_taken,
        "create_route": is_taken,
    }
    return SimpleNamespace(gateway=SimpleNamespace(**groups))


def test_a_service_and_a_route_that_another_server_made_meanwhile_are_used() -> None:
    _need_upstream(client("upstream"), "geo")
    _need_route(client("route"), "geo", is_public=False)


def test_a_prefix_that_another_route_has_is_told() -> None:
    with pytest.raises(Conflict):
        _need_route(client("prefix"), "geo", is_public=False)
