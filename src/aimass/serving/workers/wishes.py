"""What is wanted of isolated workers, and what is known of them; plain data that also travels as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from aimass.serving.domain.placing import Isolation, IsolationWish

MEASURES = -1  # the replica number of a worker that only measures


class Kind(NamedTuple):
    """What workers must share so that a spare of one can take the place of another.

    ``environment`` is the folder of their environment; empty for the platform's own.
    """

    module: str
    threads: int
    isolation: IsolationWish = "auto"
    network: bool = False
    cpus: float | None = None
    environment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A worker that shall run: for which revision, from which package, within which limits.

    Attributes
    ----------
    module
        The package of the runtime, whose ``run`` part the worker imports.
    lanes, max_rows
        How many batches may run at once, and how many rows one may have; without them the worker measures its model
        first and waits for them.
    measured_threads
        How many predictions at once are tried then.
    max_run_s
        How long a batch may run before the worker is started again.
    isolation, network
        Whether the worker is kept in a sandbox (``auto``: where there is one), and whether it may reach the network then.
    cpus
        How many cores of CPU time it may use; all, when absent.
    lock, python
        The lock of the environment in which the package runs, and the Python for which it was made; the platform's own
        environment when there is none.
    device
        On which device its graph shall run.
    """

    revision: str
    replica: int = 0
    package: str
    module: str
    memory_bytes: int
    threads: int = 1
    lanes: int | None = None
    max_rows: int | None = None
    measured_threads: int = 1
    max_run_s: float = 3600.0
    isolation: IsolationWish = "auto"
    network: bool = False
    cpus: float | None = None
    lock: str | None = None
    python: str = ""
    device: str = "auto"

    @property
    def key(self) -> str:
        """Return what names the worker."""
        return f"{self.revision}-{self.replica}"

    @property
    def serves(self) -> bool:
        """Tell whether the worker is to answer requests."""
        return self.replica != MEASURES

    @property
    def plan(self) -> dict[str, int] | None:
        """Return by which plan requests are run, when that is known."""
        return None if self.lanes is None else {"lanes": self.lanes, "max_rows": self.max_rows or 1}

    def kind(self, environment: str = "") -> Kind:
        """Return which spares could take this place."""
        return Kind(self.module, self.threads, self.isolation, self.network, self.cpus, environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """How a worker does.

    Attributes
    ----------
    crashes
        How often it ended since it was last steady; ``reason`` says how it ended last.
    calibration
        What it measured of its model, when it was asked to.
    isolation, isolation_reason
        How it is kept, and why so where there is no sandbox; empty before it starts.
    limits, limits_reason
        What bounds its memory and CPU, and why not a control group.
    stage
        What is done before it can start: the making of its environment.
    is_hopeless
        Whether starting it again is of no use: ``reason`` says why.
    began_at
        When its process was started first, in seconds since 1970.
    up_since
        Since when its present process answers; None while it does not.
    device, device_reason
        On which device its graph runs, and why it is not the one that was wished.
    """

    revision: str
    replica: int
    pid: int | None
    is_up: bool
    crashes: int
    restarts: int
    memory_bytes: int
    reason: str
    calibration: Mapping[str, Any] | None = None
    isolation: Isolation | None = None
    isolation_reason: str = ""
    limits: str = ""
    limits_reason: str = ""
    stage: str = ""
    is_hopeless: bool = False
    began_at: float | None = None
    up_since: float | None = None
    device: str = ""
    device_reason: str = ""


class Workers(Protocol):
    """Whoever keeps the workers: a pool in this process, or the supervisor."""

    @property
    def changes(self) -> int:
        """Return a number that differs when the facts may differ."""
        ...

    def want(self, wishes: Sequence[Wish]) -> None:
        """Wish for exactly these workers; others end after they had time to answer what they have."""
        ...

    def facts(self) -> Mapping[str, WorkerFacts]:
        """Return how every worker does, by key."""
        ...

    def tick(self) -> None:
        """Bring about what is wanted, as far as that goes without waiting."""
        ...

    def close(self) -> None:
        """End what this process keeps."""
        ...
