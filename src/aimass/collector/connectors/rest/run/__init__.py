"""The part of the REST connector that asks."""

from aimass.collector.connectors.rest.run.connection import RestConnection

RUN = RestConnection

__all__ = ["RUN"]
