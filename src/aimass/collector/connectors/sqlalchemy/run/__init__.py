"""The part of the connector for any SQL database that runs in child processes."""

from __future__ import annotations

from aimass.collector.connectors.sqlalchemy.run.connection import SqlDatabase

RUN = SqlDatabase

__all__ = ["RUN", "SqlDatabase"]
