"""How a worker process is kept: in a sandbox, or as a mere process."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aimass.infra.compute import Room, child_environment, find_sandbox, need_sandbox, sandboxed
from aimass.serving.domain.placing import Isolation
from aimass.serving.workers.wishes import Kind

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
    """

    isolation: Isolation
    reason: str = ""
    hide: tuple[Path, ...] = ()

    @classmethod
    def of(cls, kind: Kind, *, hide: tuple[Path, ...] = ()) -> Self:
        """Return how a worker is kept on this machine.

        Raises
        ------
        Unavailable
            It must have a sandbox, and there is none.
        """
        if kind.isolation == "process":
            return cls(isolation="process", reason="its deployment asks for no more")
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
        command = [sys.executable, "-m", "aimass.serving.children.worker", "--module", kind.module]
        variables = {**child_environment(), **dict.fromkeys(_THREADS, str(kind.threads))}
        if self.isolation == "process":
            return [*command, "--parent-pid", str(os.getpid())], variables
        room = Room(read={_PACKAGE: package}, write={_IO: io}, hide=self.hide, network=kind.network)
        return sandboxed(command, room, variables), variables
