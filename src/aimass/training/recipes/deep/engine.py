"""torch, where it is installed: the extra ``deep``. Everything else here names it by this door."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from aimass.kernel.errors import MissingExtra
from aimass.training.recipes import is_installed


class _Absent:
    """Stands where torch is not installed: whoever asks for something is told how to install it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise MissingExtra("deep")


torch: Any = import_module("torch") if is_installed("torch") else _Absent()


def settle(threads: int) -> None:
    """Let torch compute with so many threads, and the same again for the same numbers."""
    torch.set_num_threads(max(1, threads))
    torch.use_deterministic_algorithms(mode=True)


def seed_epoch(seed: int, epoch: int) -> None:
    """Begin the chance of an epoch: seed and epoch say all of it, so that no state of it has to be kept."""
    torch.manual_seed((seed * 1_000_003 + epoch * 7_919 + 17) % (2**63))
