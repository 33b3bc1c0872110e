"""The part of the connector for files that runs in child processes."""

from __future__ import annotations

from aimass.collector.connectors.files.run.connection import FilesConnection

RUN = FilesConnection

__all__ = ["RUN", "FilesConnection"]
