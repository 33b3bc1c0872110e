"""Facts of the operating system about processes, and the call that keeps a job's processes together."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_LINUX = sys.platform == "linux"
_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")
_STAT_STATE, _STAT_PARENT, _STAT_START, _STAT_RSS = 0, 1, 19, 21
_STAT_TIMES = slice(11, 15)  # of the process and of its children that were waited for, in user and in system mode


def become_subreaper() -> None:
    """Let orphaned grandchildren become children of this process instead of init's."""
    if _LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return text[text.rfind(")") + 2 :].split()


def start_of(pid: int) -> str | None:
    """Return what tells this process from a later one with the same pid; None when it is gone or a zombie."""
    if not _LINUX:
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            return "alive"
        return None
    stat = _stat(pid)
    return None if stat is None or stat[_STAT_STATE] in "ZX" else f"{_boot()}:{stat[_STAT_START]}"


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir(_PROC) if entry.isdigit()] if _LINUX else []  # noqa: PTH208 fast


def descendants(root: int) -> list[int]:
    """Return the processes below a process, children before grandchildren."""
    children: dict[int, list[int]] = {}
    for pid in _pids():
        stat = _stat(pid)
        if stat is not None:
            children.setdefault(int(stat[_STAT_PARENT]), []).append(pid)
    found, todo = [], [root]
    while todo:
        below = children.get(todo.pop(0), [])
        found += below
        todo += below
    return found


def marked(marks: Iterable[str]) -> dict[int, str]:
    """Return the processes whose environment holds one of these ``NAME=value`` marks, with the mark."""
    wanted = {mark.encode(): mark for mark in marks}
    found = {}
    for pid in _pids() if wanted else ():
        try:
            entries = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        for entry in entries:
            if entry in wanted:
                found[pid] = wanted[entry]
    return found


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the resident memory of some processes together."""
    page = os.sysconf("SC_PAGE_SIZE")
    stats = (_stat(pid) for pid in pids)
    return sum(int(stat[_STAT_RSS]) * page for stat in stats if stat is not None)


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the processor seconds of some processes, and of those below them that have ended."""
    tick = os.sysconf("SC_CLK_TCK")
    stats = (_stat(pid) for pid in pids)
    return sum(sum(map(int, stat[_STAT_TIMES])) / tick for stat in stats if stat is not None)


def kill_all(pids: Iterable[int], sign: int = signal.SIGKILL) -> None:
    """Send a signal to processes, some of which may be gone."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, sign)


def signal_group(group: int, sign: int) -> None:
    """Send a signal to a process group that may be gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, sign)
