"""Backup and restore: the databases at one moment, then the files that they name.

A backup is the platform as it would be found had it been killed at that moment, and a restored platform goes on from there.
The databases are always kept as SQLite files, whatever engine the platform runs on, so a backup moves it from one engine to
the other as well.
"""

from __future__ import annotations

from aimass.bootstrap.backup.making import Made, backup
from aimass.bootstrap.backup.restoring import Restored, restore

__all__ = ["Made", "Restored", "backup", "restore"]
