"""Control's side of workers that the supervisor keeps."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from aimass.kernel.layout import DataDir
from aimass.serving.workers.report import write_json
from aimass.serving.workers.wishes import Wish, WorkerFacts


class KeptWorkers:
    """Writes down what is wished, and reads what the supervisor says of it."""

    def __init__(self, layout: DataDir, *, drain_s: float, spares: int) -> None:
        self._wishes = layout.run / "wishes.json"
        self._report = layout.run / "workers.json"
        self._how = {"drain_s": drain_s, "spares": spares}
        self._written: str | None = None
        self._seen: tuple[int, int] | None = None
        self._facts: Mapping[str, WorkerFacts] = {}
        self._lock = threading.Lock()
        self._noted: object = None
        self.changes = 0

    def want(self, wishes: Sequence[Wish]) -> None:
        """Wish for exactly these workers."""
        document = {**self._how, "wishes": [asdict(wish) for wish in sorted(wishes, key=lambda wish: wish.key)]}
        text = json.dumps(document)
        if text != self._written:
            write_json(self._wishes, document)
            self._written = text

    def facts(self) -> Mapping[str, WorkerFacts]:
        """Return how every worker does, by key."""
        with self._lock:
            return self._facts

    def tick(self) -> None:
        """Read what the supervisor says, when it said anything new."""
        try:
            stat = self._report.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
            if stamp == self._seen:
                return
            document = json.loads(self._report.read_bytes())
        except (FileNotFoundError, ValueError):
            return
        facts = {key: WorkerFacts(**one) for key, one in document["workers"].items()}
        with self._lock:
            self._seen, self._facts = stamp, facts
            noted = (document["pid"], document["changes"], sorted(facts))
            self.changes += noted != self._noted
            self._noted = noted

    def close(self) -> None:
        """Leave the workers to the supervisor."""
