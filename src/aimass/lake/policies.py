"""Policies: which rows of a dataset somebody sees, and what he sees of its columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.kernel.errors import Invalid
from aimass.kernel.names import check_slug
from aimass.lake.domain import DatasetSlug, Workspace

Mask = Literal["hide", "null", "full", "token", "partial", "round"]
STRICTNESS: tuple[Mask, ...] = ("hide", "null", "full", "token", "partial", "round")
EVERYONE = "everyone"
AUTOMATIC, OUTSIDE = "system", "recipient"
_NAMELESS = (AUTOMATIC, OUTSIDE)
_WHO = re.compile(r"everyone|system|recipient|(user|service|group|role):.+")
_LOOKS = re.compile(r"\b(caller|in_group|has_role)\b", re.IGNORECASE)
_UNITS = ("year", "quarter", "month", "week", "day", "hour")
Name = Annotated[str, MaxLen(63), doc("name of the policy, a slug")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy of a dataset: a row filter, or a mask on some columns.

    Attributes
    ----------
    filter
        A SQL predicate over the columns of the dataset; rows for which it is not true are not there. Empty for a mask.
    columns, mask
        The columns, and what is shown of them. ``hide`` takes them away, ``null`` empties them, ``full`` shows that there is
        a value, ``token`` a pseudonym that is the same for the same value in the whole workspace, ``partial`` the last
        ``keep`` characters, ``round`` the value rounded down to ``step``.
    applies_to, exempt
        Whom it counts for, and who of them is let off: ``everyone``, ``user:<name>``, ``service:<slug>``, ``group:<slug>``,
        ``role:<slug>``, ``system`` (work that nobody started), ``recipient`` (whoever reads a share).
    granted
        Values by such a word; the filter gets those of who asks from ``granted()``.
    """

    id: str
    workspace: str
    dataset: str
    name: str
    filter: str
    columns: list[str]
    mask: Mask | None
    keep: int
    step: str
    applies_to: list[str]
    exempt: list[str]
    granted: dict[str, list[str]]
    enabled: bool
    created_by: str
    created_at: datetime
    changed_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePolicy:
    """Which policy is meant."""

    workspace: Workspace
    dataset: DatasetSlug
    policy: Name
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPolicy:
    """A policy as it is to be; it replaces the one of the same name."""

    workspace: Workspace
    dataset: DatasetSlug
    policy: Name
    filter: Annotated[str, MaxLen(4000), doc("SQL predicate: only rows for which it is true are seen")] = ""
    columns: Annotated[list[str], doc("columns to mask")] = field(default_factory=list[str])
    mask: Annotated[Mask | None, doc("what is shown of the columns")] = None
    keep: Annotated[int, Ge(1), Le(64), doc("characters that a partial mask leaves at the end")] = 4
    step: Annotated[
        str, MaxLen(20), doc("what 'round' rounds down to: a number, or year, quarter, month, week, day, hour")
    ] = ""
    applies_to: Annotated[list[str], doc("everyone, user:, service:, group:, role:, system or recipient")] = field(
        default_factory=lambda: [EVERYONE]
    )
    exempt: Annotated[list[str], doc("who of them is let off, in the same words")] = field(default_factory=list[str])
    granted: Annotated[dict[str, list[str]], doc("values that granted() gives in a filter, by who asks")] = field(
        default_factory=dict[str, list[str]]
    )
    enabled: bool = True
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, as policies see him."""

    id: str
    name: str
    kind: str
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    def words(self) -> frozenset[str]:
        """Return the words of policies that mean him.

        Examples
        --------
        >>> sorted(Caller(id="1", name="Ann", kind="user", groups=frozenset({"emea"})).words())
        ['everyone', 'group:emea', 'user:ann']
        """
        kind = self.kind if self.kind in _NAMELESS else f"{self.kind}:{self.name.lower()}"
        more = [*(f"group:{slug}" for slug in self.groups), *(f"role:{slug}" for slug in self.roles)]
        return frozenset([EVERYONE, kind, *more])


def check_policy(wish: SetPolicy, known: Iterable[str] | None) -> None:
    """Refuse a policy that says nothing, or that names what is not there; ``known`` are the columns, if there are any yet."""
    check_slug(wish.policy, field="policy")
    if bool(wish.filter.strip()) == bool(wish.mask):
        raise Invalid("a policy has a filter, or a mask with columns", field="filter", allowed="one of them")
    if bool(wish.mask) != bool(wish.columns):
        raise Invalid("a mask needs columns, and columns need a mask", field="columns", value=wish.columns)
    if not wish.applies_to:
        raise Invalid("a policy applies to somebody", field="applies_to", allowed=[EVERYONE, "group:<slug>"])
    for name, words in (("applies_to", wish.applies_to), ("exempt", wish.exempt), ("granted", wish.granted)):
        strange = next((word for word in words if not _WHO.fullmatch(word)), None)
        if strange is not None:
            raise Invalid(
                f"{strange!r} names nobody",
                field=name,
                value=strange,
                allowed="everyone, user:<name>, service:<slug>, group:<slug>, role:<slug>, system, recipient",
            )
    if wish.mask == "round" and not _is_step(wish.step):
        raise Invalid(f"{wish.step!r} is no step", field="step", value=wish.step, allowed=["a number", *_UNITS])
    if known is not None:
        there = {column.lower() for column in known}
        missing = next((column for column in wish.columns if column.lower() not in there), None)
        if missing is not None:
            raise Invalid(f"there is no column {missing!r}", field="columns", value=missing, allowed=sorted(known)[:50])


def _is_step(step: str) -> bool:
    if step in _UNITS:
        return True
    try:
        return 0 < float(step) < float("inf")
    except ValueError:
        return False


def decide(policies: Iterable[Policy], caller: Caller) -> dict[str, Any] | None:
    """Return what counts for somebody, as the query service takes it; None when he sees everything.

    Filters add up; of several masks on one column the strictest counts.

    Examples
    --------
    >>> decide([], Caller(id="1", name="ann", kind="user")) is None
    True
    """
    words = caller.words()
    mine = [p for p in policies if p.enabled and words & _lower(p.applies_to) and not words & _lower(p.exempt)]
    masks: dict[str, dict[str, Any]] = {}
    for policy in sorted(mine, key=_strictness, reverse=True):
        masks |= {c: {"mask": policy.mask, "keep": policy.keep, "step": policy.step} for c in policy.columns}
    filters = [{"sql": p.filter, "granted": _granted(p.granted, words)} for p in mine if p.filter]
    if not masks and not filters:
        return None
    who = {"id": caller.id, "name": caller.name, "kind": caller.kind}
    who |= {"groups": sorted(caller.groups), "roles": sorted(caller.roles)}
    return {"filters": filters, "masks": masks, "caller": who}


def decided(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return what counts without who asks, unless a filter looks at him: for two people alike, if they see the same.

    Examples
    --------
    >>> known = {"filters": [{"sql": "region = 'EU'", "granted": []}], "masks": {}, "caller": {"name": "Ann"}}
    >>> decided(known) == decided({**known, "caller": {"name": "Eve"}})
    True
    """
    looks = any(_LOOKS.search(one["sql"]) for one in policy["filters"])
    return {name: value for name, value in policy.items() if looks or name != "caller"}


def _lower(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word.lower() for word in words)


def _strictness(policy: Policy) -> int:
    """Order the masks, the strictest last to be put down first."""
    return STRICTNESS.index(policy.mask) if policy.mask else len(STRICTNESS)


def _granted(granted: Mapping[str, list[str]], words: frozenset[str]) -> list[str]:
    return sorted({value for word, values in granted.items() if word.lower() in words for value in values})


def filters_rows(policy: Mapping[str, Any] | None) -> bool:
    """Tell whether somebody sees only some of the rows."""
    return bool(policy and policy["filters"])


def masked_columns(policy: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the columns of which somebody does not see the values, in lower case."""
    return frozenset(column.lower() for column in policy["masks"]) if policy else frozenset()


def rule_shown(rule: Mapping[str, Any], policy: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a rule without the values that it names, where somebody does not see them."""
    hidden = masked_columns(policy)
    named = [rule.get("column"), *(rule["params"].get("columns") or [])]
    if policy is None or not (filters_rows(policy) or any(str(name).lower() in hidden for name in named)):
        return dict(rule)
    kept = {name: value for name, value in rule["params"].items() if name in {"max_share", "max_age_s", "columns"}}
    return {**rule, "params": kept}
