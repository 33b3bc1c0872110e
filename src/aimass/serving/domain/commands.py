"""What can be asked of the room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Le, MaxLen, doc

from aimass.kernel.pages import MAX_LIMIT
from aimass.serving.domain.placing import MAX_ROWS, Device, ExecutionWish, IsolationWish
from aimass.serving.domain.scaling import Replicas
from aimass.serving.domain.things import MIB, Placement, Resources, Split, Trouble, Unseen

Workspace = Annotated[str, MaxLen(63), doc("slug of the workspace")]
EndpointSlug = Annotated[str, MaxLen(63), doc("name of the endpoint")]
DeploymentName = Annotated[str, MaxLen(63), doc("name of the deployment")]
Reason = Annotated[str, MaxLen(1000), doc("why; kept in the history")]
Limit = Annotated[int, Ge(1), Le(MAX_LIMIT), doc("rows wanted")]
Cursor = Annotated[str | None, doc("continues an earlier page")]
Timeout = Annotated[float, Ge(0.05), Le(3600), doc("seconds after which a request is given up")]
BodyLimit = Annotated[int, Ge(1024), Le(256 * MIB), doc("largest body of a request")]
Sample = Annotated[float, Ge(0), Le(1), doc("share of the requests that are recorded")]
RetentionDays = Annotated[int, Ge(1), Le(3660), doc("days for which records are kept")]
RecordBytes = Annotated[int, Ge(MIB), doc("most bytes of records that are kept")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateEndpoint:
    """Make an endpoint; nothing answers before something is deployed on it."""

    workspace: Workspace
    name: EndpointSlug
    description: Annotated[str, MaxLen(2000), doc("what it is for")] = ""
    timeout_s: Timeout = 30.0
    max_body_bytes: BodyLimit = 16 * MIB
    sample: Sample = 1.0
    payload: Annotated[bool, doc("keep inputs and outputs of recorded requests")] = True
    retention_days: RetentionDays = 90
    max_record_bytes: RecordBytes = 10 * 1024 * MIB
    unseen: Annotated[
        Unseen, doc("what happens with categories that the model never saw: as the model says, serve, or refuse")
    ] = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEndpoint:
    """Change an endpoint; what is absent stays."""

    workspace: Workspace
    endpoint: EndpointSlug
    description: Annotated[str | None, MaxLen(2000), doc("what it is for")] = None
    timeout_s: Timeout | None = None
    max_body_bytes: BodyLimit | None = None
    sample: Sample | None = None
    payload: Annotated[bool | None, doc("keep inputs and outputs of recorded requests")] = None
    retention_days: RetentionDays | None = None
    max_record_bytes: RecordBytes | None = None
    unseen: Unseen | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEndpoints:
    """Which endpoints are wanted, by name."""

    workspace: Workspace
    model: Annotated[str | None, doc("only endpoints that run this model")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneEndpoint:
    """Name one endpoint."""

    workspace: Workspace
    endpoint: EndpointSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteEndpoint:
    """Which endpoint is to go; its history stays."""

    workspace: Workspace
    endpoint: EndpointSlug
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """Put a model on an endpoint: a new deployment, or a new revision of the one with this name.

    Without ``alias`` and ``model_version`` the alias ``champion`` is followed.
    """

    workspace: Workspace
    endpoint: EndpointSlug
    model: Annotated[str, MaxLen(63), doc("slug of the model")]
    alias: Annotated[str | None, MaxLen(63), doc("alias to follow")] = None
    model_version: Annotated[int | None, Ge(1), doc("version to run, instead of an alias")] = None
    name: Annotated[str | None, MaxLen(63), doc("name of the deployment; the main one when absent")] = None
    weight: Annotated[int | None, Ge(0), Le(100), doc("percent of the traffic; as it is, when absent")] = None
    placement: Annotated[
        Placement | None,
        doc("inside the gateway, in a worker of its own, or by the kind of package (auto); as it is, when absent"),
    ] = None
    resources: Resources | None = None
    execution: Annotated[
        ExecutionWish | None,
        doc("how requests are run: as measured (auto), in the loop, in threads, or in batches; as it is, when absent"),
    ] = None
    max_rows: Annotated[
        int | None, Ge(0), Le(MAX_ROWS), doc("most rows of a batch; 0 for as measured; as it is, when absent")
    ] = None
    isolation: Annotated[
        IsolationWish | None,
        doc(
            "how a worker of its own is kept: in a sandbox, as a process, or as this machine can; as it is, when absent"
        ),
    ] = None
    network: Annotated[
        bool | None, doc("whether a worker in a sandbox may reach the network; as it is, when absent")
    ] = None
    pinned: Annotated[
        bool | None,
        doc("whether the model stays in the gateway's memory whatever others need; as it is, when absent"),
    ] = None
    device: Annotated[
        Device | None,
        doc("on which device a graph runs: the best that the machine has (auto), or this one; as it is, when absent"),
    ] = None
    replicas: Annotated[
        Replicas | None, doc("how many workers of its own, and when it gets more; as it is, when absent")
    ] = None
    reason: Reason = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployModel:
    """Serve a model on the endpoint of the same name, or another; the endpoint is made when it is missing."""

    workspace: Workspace
    model: Annotated[str, MaxLen(63), doc("slug of the model")]
    endpoint: Annotated[str | None, MaxLen(63), doc("name of the endpoint; that of the model when absent")] = None
    alias: Annotated[str | None, MaxLen(63), doc("alias to follow")] = None
    model_version: Annotated[int | None, Ge(1), doc("version to run, instead of an alias")] = None
    reason: Reason = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneDeployment:
    """Name one deployment."""

    workspace: Workspace
    endpoint: EndpointSlug
    deployment: DeploymentName
    reason: Reason = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRevisions:
    """Which revisions are wanted, newest first."""

    workspace: Workspace
    endpoint: EndpointSlug
    deployment: Annotated[str | None, doc("only those of this deployment")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListHistory:
    """Which part of an endpoint's history is wanted, newest first."""

    workspace: Workspace
    endpoint: EndpointSlug
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """Bring back what ran before.

    Without ``revision``: a canary that is named, or one that gets traffic, is taken out; otherwise the main deployment
    returns to the revision before its present one. An alias is followed again when it moves the next time.
    """

    workspace: Workspace
    endpoint: EndpointSlug
    deployment: Annotated[str | None, doc("deployment to roll back; chosen as described when absent")] = None
    revision: Annotated[int | None, Ge(1), doc("number of the revision to bring back")] = None
    reason: Reason = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTraffic:
    """Share the traffic: weights in percent sum to 100; a deployment that is not named gets none."""

    workspace: Workspace
    endpoint: EndpointSlug
    weights: Annotated[Mapping[str, int], doc("deployment name to percent")]
    shadow: Annotated[str | None, doc("deployment that gets a copy; empty for none; as it is, when absent")] = None
    shadow_percent: Annotated[int | None, Ge(1), Le(100), doc("percent of the requests that the shadow gets")] = None
    fallback: Annotated[
        str | None, doc("deployment that answers for others; empty for none; as it is, when absent")
    ] = None
    fallback_on: Annotated[list[Trouble] | None, doc("trouble that counts: not_ready, error, timeout")] = None
    fallback_after_s: Annotated[
        float | None, Ge(0), Le(3600), doc("seconds after which the chosen one is given up; 0 for its time limit")
    ] = None
    static: Annotated[
        Mapping[str, Any] | None,
        doc("output to value: answers when nobody else can; empty for none; as it is, when absent"),
    ] = None
    split: Annotated[Split | None, doc("by what a request is assigned; as it is, when absent")] = None
    split_by: Annotated[str | None, MaxLen(120), doc("name of the header or parameter")] = None
    reason: Reason = ""
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """Make what a canary runs the main deployment, with all traffic; the canary is stopped."""

    workspace: Workspace
    endpoint: EndpointSlug
    deployment: DeploymentName = "canary"
    reason: Reason = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListScalings:
    """Which decisions about the number of workers of an endpoint are wanted, newest first."""

    workspace: Workspace
    endpoint: EndpointSlug
    limit: Limit = 50
    cursor: Cursor = None
