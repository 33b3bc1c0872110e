"""What whoever keeps the workers says of them, for the other processes of the platform."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aimass.kernel.layout import DataDir
from aimass.serving.workers.wishes import WorkerFacts

_LOG = logging.getLogger(__name__)


class Report:
    """Keeps ``<data>/run/workers.json``: control reads it where the supervisor keeps the workers, the gateway for its metrics."""

    def __init__(self, layout: DataDir) -> None:
        self._path = layout.run / "workers.json"
        self._path.unlink(missing_ok=True)
        self._said: dict[str, Any] | None = None
        self._is_silent = False

    def write(self, changes: int, facts: Mapping[str, WorkerFacts]) -> None:
        """Say how the workers do, when that is new; what cannot be written is tried again the next time."""
        said = {key: asdict(one) for key, one in facts.items()}
        if said == self._said:
            return
        try:
            write_json(self._path, {"pid": os.getpid(), "changes": changes, "workers": said})
        except OSError as reason:
            if not self._is_silent:
                _LOG.warning("cannot write %s: %s", self._path, reason)
            self._is_silent = True
            return
        self._said, self._is_silent = said, False


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a file whole, for readers in other processes; it need not survive a power cut."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(json.dumps(document, separators=(",", ":")))
    draft.replace(path)
