"""Releases of learners: feedback becomes rows that they learn from, and their snapshots take over an endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from annotated_types import MaxLen, doc

ReleaseState = Literal[
    "WAITING", "REVIEWING", "DEPLOYING", "RELEASED", "REFUSED", "ROLLING_BACK", "ROLLED_BACK", "FAILED"
]
Slug = Annotated[str, MaxLen(63)]
_Workspace = Annotated[str, MaxLen(63), doc("slug of the workspace")]
_Learner = Annotated[Slug, doc("slug of the learner")]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerRelease:
    """Where the snapshots of a learner go, and where its rows come from.

    Attributes
    ----------
    endpoint, model
        Each new snapshot becomes a version of the model, and when its review approves it, what the endpoint answers with.
        One that still waits for a reviewer gives way to a newer one.
    feeds
        Whether what is fed back to the endpoint becomes rows of the learner's dataset.
    snapshot, model_version
        The snapshot that was looked at last, and the version that it became.
    released
        Versions that the endpoint answered with, the newest last.
    fed_rows
        Rows that were handed over to the dataset; a row whose label was corrected counts again.
    verdict
        What the review said, or why it failed.
    """

    workspace: str
    learner: str
    endpoint: str
    model: str
    feeds: bool
    state: ReleaseState
    snapshot: int
    model_version: int | None
    released: tuple[int, ...]
    fed_rows: int
    verdict: str
    created_by: str
    created_by_name: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRelease:
    """Let the snapshots of a learner take over an endpoint, and let it learn from what is fed back there."""

    workspace: _Workspace
    learner: _Learner
    endpoint: Annotated[Slug, doc("name of the endpoint")]
    model: Annotated[
        Slug | None, doc("model whose versions the snapshots become; named like the endpoint if absent")
    ] = None
    feeds: Annotated[bool, doc("feedback of the endpoint becomes rows of the learner's dataset")] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRelease:
    """Name the release of a learner."""

    workspace: _Workspace
    learner: _Learner
