"""The room models announces itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimass.access import Access, OneWorkspace
from aimass.cluster import Jobs
from aimass.infra.blobs import Blobs
from aimass.infra.database import Database
from aimass.kernel.capability import Capabilities, Capability, JobKind, JobKinds, Place, load
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import SYSTEM
from aimass.kernel.registry import Registry
from aimass.models.domain import ModelVersion
from aimass.models.events import ALL
from aimass.models.service.ground import Ground
from aimass.models.service.models import Models
from aimass.models.storage import PackageStore

CAPABILITY = Capability(
    name="models",
    title="Models",
    requires=("access", "cluster"),
    permissions=("models.read", "models.use", "models.edit", "models.manage", "models.approve"),
    tables="aimass.models.store",
    build="aimass.models.capability:build",
    service="aimass.models.service.models:Models",
    api="aimass.models.api:router",
    console="aimass.models.console:router",
    jobs={
        "models.compose": JobKind(
            run="aimass.models.children.compose:compose",
            done="aimass.models.jobs:compose_done",
        ),
        "models.review": JobKind(
            run="aimass.models.children.review:review",
            done="aimass.models.jobs:review_done",
            failed="aimass.models.jobs:check_failed",
        ),
    },
    emits=ALL,
    pages=(
        Place(
            path="/{workspace}/models", title="Library", place="models", icon="box", permission="models.read", order=10
        ),
        Place(
            path="/{workspace}/reviews",
            title="Reviews",
            place="models",
            icon="clipboard-check",
            permission="models.read",
            order=20,
        ),
        Place(
            path="/{workspace}/zoo",
            title="Ready models",
            place="models",
            icon="package",
            permission="models.read",
            order=30,
        ),
    ),
    storage="aimass.models.keeping:storage",
    going="aimass.models.keeping:going",
    collect="aimass.models.keeping:collect",
    blobs="aimass.models.keeping:blobs",
    erase="aimass.models.keeping:erase",
    attention="aimass.models.jobs:attention",
    doctor="aimass.models.jobs:doctor",
    search="aimass.models.search:document",
)


def build(registry: Registry) -> Models:
    """Build the service.

    A check of a room names ``module:function(registry, version) -> payload``: the payload of the job of the same name,
    or None when the check does not apply to the version.
    """
    access = registry.get(Access)
    checks = {name: load(face) for room in registry.get(Capabilities) for name, face in room.checks.items()}
    for name in checks:
        registry.get(JobKinds).kind(name)

    def payloads(version: ModelVersion) -> Mapping[str, Mapping[str, Any]]:
        found = {name: payload(registry, version) for name, payload in checks.items()}
        return {name: payload for name, payload in found.items() if payload is not None}

    ground = Ground(
        database=registry.get(Database),
        packages=PackageStore(registry.get(Blobs), registry.get(DataDir).packages, registry.get(Database).clock),
        environments=registry.get(DataDir).environments,
        jobs=registry.get(Jobs),
        payloads=payloads,
        policy=lambda workspace: access.get_workspace(SYSTEM, OneWorkspace(workspace=workspace)).review,
    )
    return Models(ground)
