"""What ``aimass doctor`` looks at: one finding for each thing, good or bad."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name
        What was looked at.
    is_good
        False when it keeps the platform from working as it should.
    detail
        What was found; a name rather than a number where something is bad.
    hint
        The way out of a bad finding.
    """

    name: str
    is_good: bool
    detail: str
    hint: str = ""


def finding_of(name: str, good: str, faults: list[str], hint: str) -> Finding:
    """Return a bad finding that names the faults, or a good one when there is none.

    Examples
    --------
    >>> finding_of("models", "3 versions", [], "").detail
    '3 versions'
    >>> finding_of("models", "3 versions", ["churn/1", "churn/2"], "").is_good
    False
    """
    return Finding(name=name, is_good=not faults, detail="; ".join(faults) if faults else good, hint=hint)
