"""A child dies with its parent: the kernel sends it a signal when the process that started it is gone."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int | None = None, *, sent: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel for a signal when the parent ends (Linux); elsewhere do nothing.

    Parameters
    ----------
    parent_pid
        The parent as known to the one who started us; when it is gone already, the signal is sent at once.
    sent
        The signal.

    Notes
    -----
    The parent in this sense is the *thread* that started the process: start children from a thread that stays.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(sent), 0, 0, 0)
    if parent_pid is not None and os.getppid() != parent_pid:
        os.kill(os.getpid(), sent)
