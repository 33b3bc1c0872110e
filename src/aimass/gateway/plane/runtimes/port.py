"""What a loaded model is to the rest of the data plane, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from aimass.gateway.plane.runtimes.reader import RowReader
from aimass.gateway.plane.runtimes.single import SingleRow
from aimass.kernel.errors import AimassError

Done = Callable[[dict[str, Any] | None, AimassError | None], None]


class Runtime(Protocol):
    """Answers checked columns with arrays by output name.

    Attributes
    ----------
    used_at
        When it was asked for something last, in seconds since the epoch.
    """

    used_at: float

    @property
    def platform(self) -> str:
        """Return what clients hear of it."""
        ...

    @property
    def single(self) -> SingleRow | None:
        """Return the cheap path for one row in this process, where there is one."""
        ...

    @property
    def reader(self) -> RowReader | None:
        """Return what learns to read requests for one row, where there is a cheap path for them."""
        ...

    @property
    def is_ready(self) -> bool:
        """Tell whether a request can be answered now."""
        ...

    def start(self, values: dict[str, Any], rows: int, timeout_s: float, done: Done) -> None:
        """Answer a request; ``done`` gets arrays by output name or an error, at once or later, and once."""
        ...

    async def connect(self) -> None:
        """Try to reach what runs the model, where that is another process."""
        ...

    def close(self) -> None:
        """Let the model go; what is under way is answered first."""
        ...
