"""How a deployment runs its requests: what is wished, what was measured, and what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, doc

from aimass.serving.domain.scaling import Replicas

Execution = Literal["inline", "threads", "batched"]
ExecutionWish = Literal["auto", "inline", "threads", "batched"]
Isolation = Literal["sandbox", "process"]
IsolationWish = Literal["auto", "sandbox", "process"]
Device = Literal["auto", "cpu", "cuda", "tensorrt", "rocm", "migraphx", "openvino", "directml", "coreml", "qnn"]
MAX_ROWS = 4096
USUAL_ROWS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a deployment wishes beyond its resources.

    Attributes
    ----------
    execution
        How requests are run: as the model's own times advise, or fixed.
    max_rows
        Most rows of a batch; as measured, when absent.
    isolation
        How a worker of its own is kept: in a sandbox, as a mere process, or in a sandbox where there is one.
    network
        Whether a worker in a sandbox may reach the network.
    pinned
        Whether the model stays in the memory of the gateway's workers, whatever others need.
    device
        On which device a graph runs: the best that this machine has without building anything for minutes, or this one.
    replicas
        How many workers of its own it may have, and when it gets more.
    """

    execution: ExecutionWish = "auto"
    max_rows: Annotated[int | None, Ge(1), Le(MAX_ROWS), doc("most rows of a batch; as measured, when absent")] = None
    isolation: IsolationWish = "auto"
    network: bool = False
    pinned: bool = False
    device: Device = "auto"
    replicas: Replicas = field(default_factory=Replicas)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTime:
    """The time of a call with so many rows, and what of it falls to one."""

    rows: int
    call_us: float
    row_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRate:
    """How many rows so many threads answered in a second, one row at a time."""

    threads: int
    rows_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was measured of a model on this machine before it served.

    Attributes
    ----------
    error
        Why nothing could be measured; empty when it was.
    """

    calls: list[CallTime] = field(default_factory=list[CallTime])
    threads: list[ThreadRate] = field(default_factory=list[ThreadRate])
    machine: str = ""
    measured_at: datetime | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How the requests of a revision are run.

    Attributes
    ----------
    execution
        ``inline``: where they are read; ``threads``: several at once, each alone; ``batched``: together, as they come.
    threads
        How many run at once; 0 for inline.
    max_rows
        Most rows of a batch; 1 where requests are never put together.
    reason
        Why so.
    """

    execution: Execution
    threads: int
    max_rows: int
    reason: str


def options_of(stored: Mapping[str, Any]) -> Options:
    """Read options from their JSON.

    Examples
    --------
    >>> options_of({"execution": "inline"}).pinned
    False
    """
    replicas = Replicas(**stored.get("replicas", {}))
    return Options(**{**stored, "replicas": replicas})


def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings one by one, those of a part with its name before them.

    Examples
    --------
    >>> flat({"device": "cpu", "replicas": {"min": 0, "max": 2}})
    {'device': 'cpu', 'replicas.min': 0, 'replicas.max': 2}
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        parts = flat(value) if isinstance(value, Mapping) else {"": value}
        found |= {f"{name}.{part}" if part else name: one for part, one in parts.items()}
    return found


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings that differ, with what they were and are.

    Examples
    --------
    >>> changed({"device": "auto", "pinned": False}, {"device": "cpu", "pinned": False})
    {'device': {'from': 'auto', 'to': 'cpu'}}
    """
    was, now = flat(before), flat(after)
    return {name: {"from": was.get(name), "to": now[name]} for name in now if now[name] != was.get(name)}


def is_own(placement: str, isolation: str, *, is_inline: bool) -> bool:
    """Tell whether a deployment runs in processes of its own.

    Examples
    --------
    >>> is_own("auto", "auto", is_inline=True), is_own("auto", "sandbox", is_inline=True)
    (False, True)
    """
    return placement == "isolated" or not is_inline or (placement == "auto" and isolation == "sandbox")


def is_rebuilt(before: Options, after: Options) -> bool:
    """Tell whether a change of options needs a new revision; the others are followed while the model serves.

    Examples
    --------
    >>> is_rebuilt(Options(), Options(pinned=True)), is_rebuilt(Options(), Options(max_rows=8))
    (False, True)
    """
    return replace(before, pinned=after.pinned, replicas=after.replicas) != after


def decreed(options: Options, threads: int) -> Running | None:
    """Return how requests are run when somebody said so; None when the model's times decide.

    Examples
    --------
    >>> decreed(Options(execution="batched"), 1).max_rows
    32
    """
    reason = "set by hand"
    if options.execution == "inline":
        return Running(execution="inline", threads=0, max_rows=options.max_rows or 1, reason=reason)
    if options.execution == "threads":
        return Running(execution="threads", threads=max(1, threads), max_rows=1, reason=reason)
    if options.execution == "batched":
        return Running(execution="batched", threads=1, max_rows=options.max_rows or USUAL_ROWS, reason=reason)
    return None


def unmeasured(why: str) -> Running:
    """Return how requests are run when nothing is known of the model: off the loop, each alone."""
    return Running(execution="threads", threads=1, max_rows=1, reason=f"its times are not known: {why}")


def calibration_of(stored: Mapping[str, Any]) -> Calibration:
    """Read a calibration from its JSON.

    Examples
    --------
    >>> calibration_of({"call_us": {"1": 5.0, "8": 16.0}, "rows_per_s": {}, "machine": "2 x x"}).calls[1].row_us
    2.0
    """
    calls = sorted((int(rows), float(us)) for rows, us in stored.get("call_us", {}).items())
    rates = sorted((int(count), float(rate)) for count, rate in stored.get("rows_per_s", {}).items())
    moment = stored.get("measured_at")
    return Calibration(
        calls=[CallTime(rows=rows, call_us=round(us, 1), row_us=round(us / rows, 2)) for rows, us in calls],
        threads=[ThreadRate(threads=count, rows_per_s=round(rate, 1)) for count, rate in rates],
        machine=str(stored.get("machine", "")),
        measured_at=datetime.fromisoformat(moment) if moment else None,
        error=str(stored.get("error", "")),
    )


def running_of(stored: Mapping[str, Any] | None) -> Running | None:
    """Read how requests are run from its JSON."""
    return None if stored is None else Running(**stored)


def stored(running: Running) -> dict[str, Any]:
    """Return how requests are run as JSON."""
    return asdict(running)
