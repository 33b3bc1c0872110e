"""Configurations of outer edges."""

from __future__ import annotations

from aimass.gateway.domain.edges import Edge, Inside, WriteEdge, edge_of
from aimass.gateway.service.ground import Part
from aimass.gateway.settings import read_inside
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import SIGNED_IN, use_case


class Edges(Part):
    """The use case of people who put nginx, Caddy or Traefik in front of the gateway."""

    @use_case("GET /gateway/edges/{edge}", permission=SIGNED_IN, cli="gateway edge")
    def write_edge(self, who: Principal, command: WriteEdge) -> Edge:
        """Write the configuration of an outer edge: nginx, Caddy or Traefik with TLS in front of this gateway.

        It holds ports, sizes of bodies and time-outs as the platform runs now, WebSockets, server-sent events and gRPC,
        and tells the client's address. Name the edge in ``AIMASS_GATEWAY_TRUSTED_PROXIES``, so that it is believed.

        Raises
        ------
        Invalid
            A name or a path does not look like one, a certificate stands without its key, or gRPC is off.
        """
        del who
        return edge_of(command, Inside(**read_inside()))
