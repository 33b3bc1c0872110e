"""Control groups (cgroup v2): limits of memory and CPU that the kernel keeps, where a part of them is delegated to us.

systemd delegates with ``Delegate=cpu memory pids`` on a unit or a scope, and marks the folder with an attribute; what is
not marked is left alone.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
_NEEDED = ("cpu", "memory")
_OURS = ("cpu", "memory", "pids")
_LEAF = "platform"
_PREFIX = "worker-"
_PERIOD_US = 100_000
_PROCESSES = 1024  # threads count too
_MARKS = ("user.delegate", "trusted.delegate")


@dataclass(frozen=True, slots=True)
class Groups:
    """Where groups can be made; ``root`` is None where none can, and ``reason`` says why."""

    root: Path | None
    reason: str = ""

    def make(self, name: str) -> Group | None:
        """Make a group; None where none can be made."""
        if self.root is None:
            return None
        group = Group(self.root / f"{_PREFIX}{name}")
        group.folder.mkdir(exist_ok=True)
        return group

    def tidy(self) -> None:
        """Remove the groups that nobody is in; those of an earlier life are among them."""
        for folder in self.root.glob(f"{_PREFIX}*") if self.root is not None else ():
            Group(folder).remove()


@dataclass(frozen=True, slots=True)
class Group:
    """One group."""

    folder: Path

    def limit(self, *, memory_bytes: int, cpus: float | None) -> None:
        """Let everything in the group use so much memory, and so many cores of CPU time."""
        self._write("memory.max", str(memory_bytes))
        with suppress(OSError):  # a machine without swap has no such file
            self._write("memory.swap.max", "0")
        self._write("memory.oom.group", "1")
        quota = "max" if cpus is None else str(max(1000, round(cpus * _PERIOD_US)))
        self._write("cpu.max", f"{quota} {_PERIOD_US}")
        with suppress(OSError):
            self._write("pids.max", str(_PROCESSES))

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def entered(self, command: list[str]) -> list[str]:
        """Return a command that enters the group before it becomes another one."""
        return ["/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"', str(self.folder / "cgroup.procs"), *command]

    @property
    def has_run_out(self) -> bool:
        """Tell whether the kernel ended something here for its memory."""
        with suppress(OSError):
            lines = (self.folder / "memory.events").read_text().splitlines()
            return any(line.startswith("oom_kill ") and int(line.split()[1]) > 0 for line in lines)
        return False

    def kill(self) -> None:
        """End everything in the group."""
        with suppress(OSError):
            self._write("cgroup.kill", "1")

    def remove(self) -> None:
        """Remove the group; one in which something still runs stays."""
        with suppress(OSError):
            self.folder.rmdir()


def find_groups(mount: Path = _MOUNT, table: Path = Path("/proc/self/cgroup"), *, tidy: bool = True) -> Groups:
    """Return where this process may make groups; what is delegated is prepared for it.

    Empty groups of an earlier life are removed, unless ``tidy`` is off: another process may be about to enter one.
    """
    if sys.platform != "linux":
        return Groups(None, f"there are no control groups on {sys.platform}")
    path = own_path(table.read_text()) if table.exists() else None
    if path is None or not (mount / "cgroup.controllers").is_file():
        return Groups(None, "this system has no cgroup v2")
    own = mount / path.lstrip("/")
    root = next((folder for folder in (own, own.parent) if is_delegated(folder)), None)
    if root is None:
        return Groups(None, "no control group is delegated to the platform")
    try:
        _prepare(root)
    except (OSError, ValueError) as reason:
        return Groups(None, f"the delegated control group cannot be used: {reason}")
    groups = Groups(root)
    if tidy:
        groups.tidy()
    return groups


def own_path(table: str) -> str | None:
    r"""Return the group of a process in cgroup v2 from its table.

    Examples
    --------
    >>> own_path("4:memory:/a\n0::/system.slice/aimass.service\n")
    '/system.slice/aimass.service'
    """
    return next((line[3:].strip() for line in table.splitlines() if line.startswith("0::")), None)


def is_delegated(folder: Path) -> bool:
    """Tell whether systemd has delegated a group to those who run in it."""
    for mark in _MARKS:
        with suppress(OSError):
            if os.getxattr(folder, mark).strip() == b"1":
                return True
    return False


def _prepare(root: Path) -> None:
    """Make a delegated group one that has groups below it: no process may stay in it itself."""
    present = (root / "cgroup.controllers").read_text().split()
    missing = [name for name in _NEEDED if name not in present]
    if missing:
        msg = f"it has no controller {missing[0]!r}"
        raise ValueError(msg)
    inside = (root / "cgroup.procs").read_text().split()
    if inside:
        leaf = root / _LEAF
        leaf.mkdir(exist_ok=True)
        for pid in inside:
            with suppress(ProcessLookupError):
                (leaf / "cgroup.procs").write_text(pid)
    wanted = " ".join(f"+{name}" for name in _OURS if name in present)
    (root / "cgroup.subtree_control").write_text(wanted)
