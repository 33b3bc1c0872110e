"""Decides how each revision runs: measured once for a package on a machine, or as somebody said."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from aimass.infra.compute import environment_of
from aimass.infra.plans import Timings, choose, machine
from aimass.kernel.clock import instant
from aimass.kernel.errors import AimassError
from aimass.kernel.principal import SYSTEM
from aimass.serving.domain.placing import Options, Running, decreed, is_own, options_of, stored, unmeasured
from aimass.serving.domain.things import Resources
from aimass.serving.library import lock_of
from aimass.serving.service.ground import Ground, target_of
from aimass.serving.store import queries
from aimass.serving.workers.wishes import MEASURES, Wish, WorkerFacts

_GRACE_S = 5.0  # nobody waits for an answer after the time limit
_MEASURE_S = 30.0
_MOST_SAID = 500
_MOST_ROWS = 65_536
_CORES = os.cpu_count() or 1
_NO_TIMES = "its worker told no times"
INLINE, OWN = "inline", "isolated"


class Placer:
    """Wishes for the workers of a revision, and settles how its requests are run."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def place_of(self, revision: Row[Any]) -> str:
        """Return where a revision runs: inside the gateway, or in a process of its own."""
        is_inline = self._ground.library.is_inline(target_of(revision))
        isolation = options_of(revision.options).isolation
        return OWN if is_own(revision.placement, isolation, is_inline=is_inline) else INLINE

    def wishes(self, revision: Row[Any], timeout_s: float, workers: int = 1) -> Iterator[Wish]:
        """Yield the workers that a revision needs now: so many that serve it, or one that measures it."""
        if self.place_of(revision) == OWN:
            for number in range(workers if revision.running is not None else 1):
                yield self._wish(revision, timeout_s, number)
        elif revision.running is None:
            yield self._wish(revision, timeout_s, MEASURES)

    def _wish(self, revision: Row[Any], timeout_s: float, number: int) -> Wish:
        running, resources = revision.running or {}, Resources(**revision.resources)
        options = options_of(revision.options)
        return Wish(
            revision=revision.id,
            replica=number,
            package=revision.package,
            module=self._ground.library.module(target_of(revision)),
            memory_bytes=resources.memory_bytes,
            threads=resources.threads,
            lanes=running.get("threads"),
            max_rows=running.get("max_rows"),
            measured_threads=self._most_threads(revision),
            max_run_s=timeout_s + _GRACE_S,
            isolation="sandbox" if self._ground.settings.sandbox == "require" else options.isolation,
            network=options.network,
            cpus=resources.cpus,
            **self._environment(revision),
            device=options.device,
        )

    def _environment(self, revision: Row[Any]) -> dict[str, str]:
        """Return lock and Python of a package that brings a lock; such a package runs in an environment of its own."""
        runs_code = not self._ground.library.is_inline(target_of(revision))
        lock = lock_of(Path(revision.package)) if runs_code else None
        return {} if lock is None else {"lock": str(lock[0]), "python": lock[1]}

    def environment_of(self, revision: Row[Any]) -> Path | None:
        """Return the folder of the environment of a revision; None where it runs in the platform's, or its lock is bad."""
        wish = self._environment(revision)
        try:
            return (
                environment_of(self._ground.layout.environments, Path(wish["lock"]), wish["python"]).root
                if wish
                else None
            )
        except (AimassError, OSError):
            return None

    def _most_threads(self, revision: Row[Any]) -> int:
        """Return how many predictions at once may be worth trying: the gateway has the machine, a worker its threads."""
        cores = os.cpu_count() or 1
        return cores if self.place_of(revision) == INLINE else min(cores, Resources(**revision.resources).threads)

    def _conditions(self, revision: Row[Any]) -> dict[str, Any]:
        """Return what the times of a package depend on."""
        return {"machine": machine(), "placement": self.place_of(revision), "resources": dict(revision.resources)}

    def settle(self, revision: Row[Any], worker: WorkerFacts | None) -> bool:
        """Settle how a revision runs, when enough is known; tell whether that is so now."""
        options, resources = options_of(revision.options), Resources(**revision.resources)
        running = decreed(options, resources.threads)
        if running is not None:
            self._write(revision, running, None)
            return True
        conditions = self._conditions(revision)
        with self._ground.database.read() as conn:
            measured = queries.calibrated(conn, revision.digest, conditions)
        if measured is None and worker is not None and worker.calibration is not None:
            moment = instant(self._ground.database.clock.now())
            measured = {**_kept(worker.calibration), "conditions": conditions, "measured_at": moment}
        if measured is not None:
            running = _advised(measured, options)
            kept = measured if running is not None else {"error": _NO_TIMES, "conditions": conditions}
            self._write(revision, running or unmeasured(_NO_TIMES), kept)
            return True
        return self._give_up(revision, worker)

    def _give_up(self, revision: Row[Any], worker: WorkerFacts | None) -> bool:
        """Let a graph be loaded unmeasured when measuring it fails: the gateway says better what is wrong with it."""
        waited = (self._ground.database.clock.now() - revision.started_at).total_seconds()
        has_fallen = worker is not None and worker.crashes > 0
        if self.place_of(revision) == OWN or not (has_fallen or waited > _MEASURE_S):
            return False
        why = worker.reason if worker is not None and has_fallen else f"not measured within {_MEASURE_S:g} s"
        self._write(revision, unmeasured(why), {"error": why})
        return True

    def _write(self, revision: Row[Any], running: Running, measured: Mapping[str, Any] | None) -> None:
        with self._ground.database.change(SYSTEM, revision.workspace) as change:
            queries.put_revision(change, revision.id, running=stored(running), calibration=measured)


def _times(told: Mapping[Any, Any], most: int) -> dict[int, float]:
    """Return what was measured for how many, where it is possible."""
    found = {int(count): float(value) for count, value in told.items()}
    return {count: value for count, value in found.items() if 1 <= count <= most and isfinite(value) and value > 0}


def _kept(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return of what a worker measured what can be shown: the model in it may have written anything."""
    error = {"error": str(told["error"])[:_MOST_SAID]} if told.get("error") else {}
    try:
        times = {"call_us": _times(told["call_us"], _MOST_ROWS), "rows_per_s": _times(told["rows_per_s"], _CORES)}
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return error
    texts = {name: {str(count): value for count, value in found.items()} for name, found in times.items()}
    return {**texts, "machine": str(told.get("machine", ""))[:_MOST_SAID], **error}


def _advised(measured: Mapping[str, Any], options: Options) -> Running | None:
    """Return how requests are run by what was measured; None for what are no times: a model may have written them."""
    if measured.get("error"):
        return unmeasured(str(measured["error"])[:_MOST_SAID])
    try:
        calls = _times(measured["call_us"], _MOST_ROWS)
        rates = _times(measured["rows_per_s"], _CORES)
        choice = choose(Timings(call_us=calls, rows_per_s=rates))
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None
    most = options.max_rows or choice.plan.max_rows
    return Running(execution=choice.execution, threads=choice.plan.lanes, max_rows=most, reason=choice.reason)
