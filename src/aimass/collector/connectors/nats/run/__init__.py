"""The part of the NATS connector that talks to the server."""

from aimass.collector.connectors.nats.run.connection import NatsConnection

RUN = NatsConnection

__all__ = ["RUN"]
