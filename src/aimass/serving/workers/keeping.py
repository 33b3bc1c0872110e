"""How a worker process is kept: in a sandbox or as a mere process, and what bounds its memory and CPU."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Self

from aimass.infra.compute import (
    Environment,
    Group,
    Groups,
    Room,
    child_environment,
    find_groups,
    find_sandbox,
    need_sandbox,
    sandboxed,
    without_python,
)
from aimass.serving.domain.placing import Isolation
from aimass.serving.workers.wishes import Kind, Wish

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
_PACKAGE, _IO = "/package", "/io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """The way in which one process is kept.

    Attributes
    ----------
    reason
        Why there is no sandbox.
    hide
        Folders that it must not see, whatever else it sees.
    group
        The control group that bounds it.
    cores
        The cores on which it may run; all, when empty.
    limits, limits_reason
        What bounds its memory and CPU, and why not a control group.
    """

    isolation: Isolation
    reason: str = ""
    hide: tuple[Path, ...] = ()
    group: Group | None = None
    cores: tuple[int, ...] = ()
    limits: str = ""
    limits_reason: str = ""

    @classmethod
    def of(cls, kind: Kind, *, hide: tuple[Path, ...] = ()) -> Self:
        """Return how a worker is kept on this machine.

        Raises
        ------
        Unavailable
            It must have a sandbox, and there is none.
        """
        if kind.isolation == "process":
            return cls(isolation="process", reason="its deployment asks for no more", hide=hide)
        if kind.isolation == "sandbox":
            need_sandbox()
        found = find_sandbox()
        return cls(isolation="sandbox" if found.is_there else "process", reason=found.reason, hide=hide)

    @property
    def depth(self) -> int:
        """How many processes stand above the worker: bubblewrap, and the first process of its namespace."""
        return 2 if self.isolation == "sandbox" else 0

    def seen(self, package: Path, io: Path) -> tuple[str, str]:
        """Return the two folders of a worker as it sees them."""
        return (_PACKAGE, _IO) if self.isolation == "sandbox" else (str(package), str(io))

    def command(self, kind: Kind, package: Path, io: Path) -> tuple[list[str], dict[str, str]]:
        """Return the command line and the environment of a worker."""
        own = Environment(Path(kind.environment)) if kind.environment else None
        python = sys.executable if own is None else str(own.python)
        command = [python, "-m", "aimass.serving.children.worker", "--module", kind.module]
        command += ["--cores", ",".join(map(str, self.cores))] if self.cores else []
        variables = {**child_environment(), **dict.fromkeys(_THREADS, str(kind.threads))}
        if own is not None:
            variables = {**without_python(variables), **own.variables()}
        if self.isolation == "process":
            command += ["--parent-pid", str(os.getpid())]
        else:
            room = Room(read={_PACKAGE: package}, write={_IO: io}, hide=self.hide, network=kind.network)
            folders = None if own is None else own.folders()
            command = sandboxed(command, room, variables, interpreters=folders)
        return self.group.entered(command) if self.group is not None else command, variables

    def bound(self, wish: Wish) -> None:
        """Let the kernel keep the limits of a worker, where it can."""
        if self.group is not None:
            self.group.limit(memory_bytes=wish.memory_bytes, cpus=wish.cpus)


@dataclass(slots=True)
class Keepings:
    """Decides how the workers of one pool are kept.

    Attributes
    ----------
    hide
        Folders that no worker may see.
    groups
        Where control groups can be made.
    """

    hide: tuple[Path, ...]
    groups: Groups = field(default_factory=find_groups)
    _turn: Iterator[int] = field(default_factory=count)

    def of(self, kind: Kind, name: str) -> Keeping:
        """Return how a new worker is kept.

        Raises
        ------
        Unavailable
            It must have a sandbox, and there is none.
        """
        kept = Keeping.of(kind, hide=self.hide)
        if self.groups.root is not None:
            return replace(kept, group=self.groups.make(name), limits="memory and CPU by a control group")
        present = _present()
        cores = cores_of(kind.cpus, present, next(self._turn))
        said = "memory by its resident size"
        said += f", CPU by affinity to {len(cores)} of {len(present)} cores" if cores else ""
        return replace(kept, cores=cores, limits=said, limits_reason=self.groups.reason)


def cores_of(cpus: float | None, present: Sequence[int], turn: int) -> tuple[int, ...]:
    """Return the cores of a worker that may use so many; workers take turns. Empty where it may use all.

    Examples
    --------
    >>> [cores_of(1.5, [0, 1, 2, 3], turn) for turn in range(2)], cores_of(0.5, [0, 1], 3), cores_of(8, [0, 1], 0)
    ([(0, 1), (2, 3)], (1,), ())
    """
    wanted = math.ceil(cpus) if cpus is not None else 0
    if not 0 < wanted < len(present):
        return ()
    first = turn * wanted
    return tuple(sorted(present[(first + step) % len(present)] for step in range(wanted)))


def _present() -> list[int]:
    """Return the cores of this process; none where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
