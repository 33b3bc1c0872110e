"""The part of change capture that talks to the server."""

from aimass.collector.connectors.postgres_changes.run.connection import ChangesConnection

RUN = ChangesConnection

__all__ = ["RUN"]
