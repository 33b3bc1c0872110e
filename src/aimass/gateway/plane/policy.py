"""What an endpoint says of its traffic: who is sent where, who answers when the chosen one cannot, and with what."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np

from aimass.gateway.plane.encode import dtype_of
from aimass.gateway.plane.errors import NotReady, WorkerBusy, WorkerGone, WorkerSlow
from aimass.kernel.errors import AimassError

_WHOLE = float(2**64)
_OURS = 500
RANDOM, CONSUMER, HEADER, PARAMETER = "random", "consumer", "header", "parameter"


@dataclass(slots=True, kw_only=True)
class Split:
    """By what a request is assigned to a deployment.

    Attributes
    ----------
    by
        ``random``, or a value that is always sent the same way: the ``consumer``, a ``header`` or a ``parameter`` of the
        request. A request without the value is assigned by its consumer.
    name
        Of the header, in lower case, or of the parameter.
    salt
        Another one shuffles anew; it is the id of the endpoint.
    """

    by: str = RANDOM
    name: str = ""
    salt: str = ""
    header: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Note the header in the form in which requests carry it."""
        self.header = self.name.lower().encode() if self.by == HEADER else b""

    def share(self, consumer: str, value: str | None = None) -> float | None:
        """Return where in [0, 1) a request stands; None where that is left to chance."""
        if self.by == RANDOM:
            return None
        return share_of(self.salt, consumer if value is None else f"{self.name}={value}")


def share_of(salt: str, text: str) -> float:
    """Return where in [0, 1) a text stands: the same in every worker, evenly spread over texts.

    Examples
    --------
    >>> share_of("e", "ann") == share_of("e", "ann"), share_of("e", "ann") == share_of("e", "bob")
    (True, False)
    """
    return int.from_bytes(blake2b(f"{salt}\0{text}".encode(), digest_size=8).digest()) / _WHOLE


def trouble_of(error: AimassError) -> str:
    """Return what kind of trouble an error is: ``not_ready``, ``timeout``, ``error``; empty for one of the caller.

    Examples
    --------
    >>> trouble_of(WorkerSlow()), trouble_of(WorkerGone()), trouble_of(NotReady())
    ('timeout', 'not_ready', 'not_ready')
    """
    if isinstance(error, WorkerSlow):
        return "timeout"
    if isinstance(error, WorkerGone | WorkerBusy | NotReady):
        return "not_ready"
    return "error" if error.status >= _OURS else ""


class StaticAnswer:
    """An answer that needs no model: one value for each output, the same for every row."""

    def __init__(self, outputs: list[dict[str, Any]]) -> None:
        self._values = {spec["name"]: np.asarray([spec["value"]], dtype=dtype_of(spec)) for spec in outputs}

    def has(self, names: list[str]) -> bool:
        """Tell whether it has a value for each of these outputs."""
        return all(name in self._values for name in names)

    def outputs(self, rows: int) -> dict[str, Any]:
        """Return arrays by output name."""
        return {name: np.repeat(value, rows, axis=0) for name, value in self._values.items()}


@dataclass(slots=True, kw_only=True)
class Rescue:
    """When another answers in place of the chosen deployment.

    Attributes
    ----------
    on
        Kinds of trouble that count.
    after_s
        The chosen one is given up after this time, before the time limit of the endpoint.
    """

    on: frozenset[str] = frozenset({"not_ready", "error", "timeout"})
    after_s: float | None = None

    def applies(self, error: AimassError) -> bool:
        """Tell whether this error is such trouble."""
        return trouble_of(error) in self.on
