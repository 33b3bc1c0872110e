"""A job's directory: the frozen spec, the lease with its fencing number, checkpoints and the result.

::

    job.json        what is run; frozen by the first attempt, paths as in :mod:`aimass.kernel.places`
    lease.json      number of the one attempt that may write
    process.json    who runs it: pid, start time, boot
    events.ndjson   reports                     log.txt     what it printed
    checkpoints/    committed states            out/ work/  results and scratch
    cancel          flag                        heartbeat   touched while the attempt lives
    result.json     how the attempt ended
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from aimass.infra.blobs import unplaced
from aimass.infra.compute.files import read_json, write_atomic
from aimass.kernel.errors import Conflict, Invalid
from aimass.kernel.places import folded, unfolded

KEPT_CHECKPOINTS = 2
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,120}")
_FROZEN = ("run", "params", "code")


class Fenced(BaseException):
    """A later attempt owns the job: whoever gets this must stop writing and end."""


class JobDirectory:
    """The files of one job.

    Parameters
    ----------
    path
        Its folder.
    data
        Where the data directory lies whose paths the job may name.
    """

    def __init__(self, path: Path, data: str = "") -> None:
        self.path = path
        self._data = data
        self.spec_file = path / "job.json"
        self.events = path / "events.ndjson"
        self.log = path / "log.txt"
        self.out = path / "out"
        self.work = path / "work"
        self.checkpoints = path / "checkpoints"
        self.cancel = path / "cancel"
        self.heartbeat = path / "heartbeat"
        self.process = path / "process.json"
        self._lease = path / "lease.json"
        self._result = path / "result.json"

    def freeze(self, spec: Mapping[str, Any]) -> None:
        """Create the directory and write the spec; refuse one whose frozen part differs from the first."""
        if not _NAME.fullmatch(self.path.name):
            raise Invalid(
                f"job id {self.path.name!r} is not allowed", field="id", value=self.path.name, allowed=_NAME.pattern
            )
        for folder in (self.out, self.work, self.checkpoints):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            text = json.dumps(folded(dict(spec), self._data), sort_keys=True)
        except (TypeError, ValueError) as reason:
            raise Invalid(f"the payload of the job is no JSON: {reason}", field="params") from reason
        before, new = folded(read_json(self.spec_file), self._data), json.loads(text)
        if before == new:
            return
        # a blob is another file where it is kept elsewhere, as after a restore into files of what lay in a store
        changed = [
            name for name in _FROZEN if before is not None and unplaced(before.get(name)) != unplaced(new.get(name))
        ]
        if changed:
            raise Conflict(
                f"job {self.path.name!r} cannot go on with another {changed[0]!r} than it began with",
                field=changed[0],
                hint="submit a new job",
            )
        write_atomic(self.spec_file, text.encode())

    def spec(self) -> dict[str, Any]:
        """Return the spec."""
        spec = read_json(self.spec_file)
        if spec is None:
            raise Invalid(f"{self.path} is no job directory", value=str(self.path), allowed="a folder with a job.json")
        return unfolded(spec, self._data)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock that makes 'check the lease, then write' one action."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def take(self) -> int:
        """Take the job over: return a new, highest attempt number."""
        with self.locked():
            attempt = self.attempt() + 1
            write_atomic(self._lease, json.dumps({"attempt": attempt}).encode())
            self.cancel.unlink(missing_ok=True)
            self._result.unlink(missing_ok=True)
            return attempt

    def attempt(self) -> int:
        """Return the number of the attempt that owns the job, 0 before the first."""
        return int((read_json(self._lease) or {}).get("attempt", 0))

    def check(self, attempt: int) -> None:
        """Stop an attempt that no longer owns the job."""
        if self.attempt() != attempt:
            raise Fenced(f"attempt {attempt} of {self.path.name} lost the job to attempt {self.attempt()}")

    def finish(self, attempt: int, outcome: Mapping[str, Any]) -> bool:
        """Write how the attempt ended, once; return False when the end was written before."""
        with self.locked():
            self.check(attempt)
            if self.result(attempt) is not None:
                return False
            write_atomic(self._result, json.dumps({**folded(dict(outcome), self._data), "attempt": attempt}).encode())
            return True

    def result(self, attempt: int) -> dict[str, Any] | None:
        """Return how the attempt ended; the result of any other attempt does not count."""
        result = read_json(self._result)
        return unfolded(result, self._data) if result is not None and result.get("attempt") == attempt else None

    def save(self, attempt: int, name: str, state: bytes) -> None:
        """Commit a checkpoint: data first, then the manifest that makes it count; keep the last two."""
        if not _NAME.fullmatch(name):
            raise Invalid(f"checkpoint name {name!r} is not allowed", field="name", value=name, allowed=_NAME.pattern)
        with self.locked():
            self.check(attempt)
            numbers = self._numbers(name)
            number = max(numbers, default=0) + 1
            write_atomic(self._file(name, number, "bin"), state)
            manifest = {"sha256": sha256(state).hexdigest(), "size": len(state), "attempt": attempt}
            write_atomic(self._file(name, number, "json"), json.dumps(manifest).encode())
            for old in sorted(numbers)[: 1 - KEPT_CHECKPOINTS]:
                self._file(name, old, "json").unlink(missing_ok=True)
                self._file(name, old, "bin").unlink(missing_ok=True)

    def restore(self, name: str) -> bytes | None:
        """Return the newest committed checkpoint that is undamaged."""
        for number in sorted(self._numbers(name), reverse=True):
            manifest = read_json(self._file(name, number, "json"))
            try:
                state = self._file(name, number, "bin").read_bytes()
            except FileNotFoundError:
                continue
            if manifest is not None and manifest.get("sha256") == sha256(state).hexdigest():
                return state
        return None

    def _file(self, name: str, number: int, suffix: str) -> Path:
        return self.checkpoints / f"{name}.{number:08d}.{suffix}"

    def _numbers(self, name: str) -> list[int]:
        found = (
            re.fullmatch(re.escape(name) + r"\.(\d{8})\.(?:json|bin)", file.name) for file in self.checkpoints.iterdir()
        )
        return sorted({int(match.group(1)) for match in found if match})
