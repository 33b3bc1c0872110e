"""What is put into the index, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One thing that can be found.

    ``key`` is ``<kind>:<slug or id>`` and unique in its workspace; ``href`` is its page; ``permission`` is what a finder
    needs in the workspace.
    """

    workspace: str
    key: str
    kind: str
    title: str
    text: str
    href: str
    permission: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One finding, best first."""

    key: str
    kind: str
    workspace: str
    title: str
    href: str
