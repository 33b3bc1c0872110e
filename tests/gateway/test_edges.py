"""What is refused when the configuration of an outer edge is asked for; that the written ones work is a journey."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aimass.gateway.domain.edges import Inside, WriteEdge, edge_of
from aimass.kernel.errors import Invalid

INSIDE = Inside(port=8800, grpc_port=0, idle_s=75)


@pytest.mark.parametrize("edge", ["nginx", "caddy", "traefik"])
def test_no_edge_is_written_for_a_gateway_that_speaks_tls_itself(edge: str) -> None:
    wish = WriteEdge(edge=edge, server_name="ml.example.com")  # pyright: ignore[reportArgumentType] one of the three
    assert edge_of(wish, INSIDE).files
    with pytest.raises(Invalid, match="speaks TLS itself") as told:
        edge_of(wish, replace(INSIDE, is_tls=True))
    assert told.value.field == "edge"
