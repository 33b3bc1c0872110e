"""The record by which a room announces itself; faces are named by strings, never imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from typing import Any

from aimass.kernel.errors import Failed, Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """A kind of job: what runs in the child, and what control does with its result.

    Attributes
    ----------
    run
        ``module:function`` called in the child with the job's context; returns a JSON object.
    done
        ``module:function(registry, job)`` called in control when the child succeeded; must be idempotent. Optional.
    failed
        The same for a job that failed or was cancelled. Optional.
    by_schedule
        True when a person's schedule may start it; its payload is then what that person wrote, beside ``workspace``,
        ``schedule`` and ``due``.
    order
        ``module:function(registry, who, workspace, payload, key)`` called in control when a schedule fires, in place of
        the submission of the payload as it is: the room looks up what the names in it stand for, and submits. Optional.
    check
        ``module:function(registry, who, workspace, payload)`` called when a person puts the job into a schedule: refuses
        a payload that cannot work, and a person who may not do it himself. Optional.
    secrets
        ``module:function(registry, job)`` called in control right before each attempt: what it returns is handed to the
        child in memory (``ctx.secrets``) and written nowhere. Optional.
    ready
        ``module:function(registry, job)`` called in control right before each attempt, also when somebody begins a job again:
        refuses what may not run any more, because a right or a policy changed while it waited. Optional.
    on_tables
        True when the child works on tables of the lake: where these lie in an object store it is handed the key in memory. A child
        that runs what others wrote is never handed it; it is given local copies (``ready``).
    private
        Names in payload and result that tell what is in the data (profiles, samples, rules): whoever may look at jobs is
        not shown them, because policies decide elsewhere who sees that.
    """

    run: str
    done: str | None = None
    failed: str | None = None
    by_schedule: bool = False
    order: str | None = None
    check: str | None = None
    secrets: str | None = None
    ready: str | None = None
    on_tables: bool = False
    private: tuple[str, ...] = ()


class JobKinds(dict[str, JobKind]):
    """Every kind of job that the rooms provide, by name; filled at start from the capabilities."""

    def kind(self, name: str) -> JobKind:
        """Return a kind, or refuse a name that nobody provides."""
        if name not in self:
            raise Invalid(f"there is no kind of job {name!r}", field="kind", value=name, allowed=sorted(self))
        return self[name]

    def check(self) -> None:
        """Stop the start when a function that control has to call does not exist."""
        for name, kind in self.items():
            for face in (kind.done, kind.failed, kind.order, kind.check, kind.secrets, kind.ready):
                try:
                    if face is not None:
                        load(face)
                except (ImportError, AttributeError) as reason:
                    raise Failed(f"job kind {name!r} names {face!r}, which does not exist: {reason}") from reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A reconcile loop in control: ``module:function(registry)`` every so many seconds."""

    run: str
    every_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A page of the console in the menu: address, title and icon (lucide), below one of the eight places."""

    path: str
    title: str
    place: str
    icon: str
    permission: str
    order: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What a room is, provides and needs.

    Every face is ``module:name``; reading a capability imports none of them.

    Attributes
    ----------
    tables
        Module that declares the tables of the room (its store).
    build
        ``module:function(registry) -> service``.
    service
        ``module:Class`` that carries the use cases.
    api, console
        ``module:router`` of hand-written REST routes and of console pages.
    protocol
        ``module:router`` of routes whose addresses a standard fixes, at the root.
    events
        Event type (or ``prefix.*``) to ``module:function(registry, event)``.
    jobs, checks
        Jobs and review checks by name.
    loops
        Reconcile loops by name.
    flows
        Durable workflows by name: ``module:function(registry, flow, args)``.
    metrics
        Counters of control by name, with what they count; see :class:`~aimass.kernel.counters.Counters`.
    attention, panels, search, storage, going, collect, blobs, erase, backup, doctor, lineage
        Hooks: ``module:function(registry, ...)``; see ``docs/explanation/capabilities.md``.
    """

    name: str
    title: str
    requires: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    tables: str | None = None
    build: str | None = None
    service: str | None = None
    api: str | None = None
    console: str | None = None
    protocol: str | None = None
    settings: str | None = None
    events: Mapping[str, str] = field(default_factory=dict[str, str])
    jobs: Mapping[str, JobKind] = field(default_factory=dict[str, JobKind])
    checks: Mapping[str, str] = field(default_factory=dict[str, str])
    loops: Mapping[str, Loop] = field(default_factory=dict[str, Loop])
    flows: Mapping[str, str] = field(default_factory=dict[str, str])
    pages: tuple[Place, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict[str, str])
    emits: tuple[str, ...] = ()
    attention: str | None = None
    panels: Mapping[str, str] = field(default_factory=dict[str, str])
    search: str | None = None
    storage: str | None = None
    going: str | None = None
    collect: str | None = None
    blobs: str | None = None
    erase: str | None = None
    backup: str | None = None
    doctor: str | None = None
    metrics: Mapping[str, str] = field(default_factory=dict[str, str])
    lineage: str | None = None


class Capabilities(tuple[Capability, ...]):
    """Every capability of a platform, in start order; what hooks are called through."""

    __slots__ = ()


def load(face: str) -> Any:
    """Import ``module:name`` and return the object.

    Examples
    --------
    >>> load("aimass.kernel.ids:new_id").__name__
    'new_id'
    """
    module, _, name = face.partition(":")
    return getattr(import_module(module), name)


def in_start_order(capabilities: Iterable[Capability]) -> list[Capability]:
    """Sort capabilities so that each comes after what it requires; refuse missing, doubled and mutual ones.

    Examples
    --------
    >>> [c.name for c in in_start_order([Capability(name="b", title="B", requires=("a",)), Capability(name="a", title="A")])]
    ['a', 'b']
    """
    by_name: dict[str, Capability] = {}
    for capability in capabilities:
        if capability.name in by_name:
            raise Failed(f"two capabilities are called {capability.name!r}")
        by_name[capability.name] = capability
    for capability in by_name.values():
        missing = [name for name in capability.requires if name not in by_name]
        if missing:
            raise Failed(f"{capability.name!r} requires {missing[0]!r}, which nobody provides")
    try:
        order = TopologicalSorter({c.name: c.requires for c in by_name.values()}).static_order()
        return [by_name[name] for name in order]
    except CycleError as reason:
        raise Failed(f"capabilities require each other: {reason.args[1]}") from reason
