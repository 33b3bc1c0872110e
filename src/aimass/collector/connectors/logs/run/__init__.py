"""The part of the connector for logs that runs in child processes."""

from __future__ import annotations

from aimass.collector.connectors.logs.run.connection import LogsConnection

RUN = LogsConnection

__all__ = ["RUN", "LogsConnection"]
