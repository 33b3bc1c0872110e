"""The room lifecycle announces itself."""

from __future__ import annotations

from aimass.kernel.capability import Capability, Loop, Place

CAPABILITY = Capability(
    name="lifecycle",
    title="Pipelines and releases",
    requires=("access", "cluster", "lake", "models", "training", "serving", "monitoring"),
    permissions=("lifecycle.read", "lifecycle.use", "lifecycle.edit", "lifecycle.manage"),
    tables="aimass.lifecycle.store",
    build="aimass.lifecycle.service:build",
    service="aimass.lifecycle.service:Lifecycle",
    console="aimass.lifecycle.console:router",
    events={"*": "aimass.lifecycle.jobs:on_event"},
    loops={
        "lifecycle.recover": Loop(run="aimass.lifecycle.jobs:recover", every_s=5.0),
        "lifecycle.rollouts": Loop(run="aimass.lifecycle.jobs:advance", every_s=1.0),
    },
    kinds={"pipeline": "aimass.lifecycle.specs:PIPELINE"},
    flows={"lifecycle.pipeline": "aimass.lifecycle.flow:run_pipeline"},
    emits=(
        "lifecycle.pipeline.created",
        "lifecycle.pipeline.changed",
        "lifecycle.pipeline.deleted",
        "lifecycle.run.started",
        "lifecycle.run.succeeded",
        "lifecycle.run.failed",
        "lifecycle.run.cancelled",
        "lifecycle.step.succeeded",
        "lifecycle.rollout.started",
        "lifecycle.rollout.stepped",
        "lifecycle.rollout.paused",
        "lifecycle.rollout.resumed",
        "lifecycle.rollout.promoted",
        "lifecycle.rollout.rolled_back",
        "lifecycle.rollout.failed",
    ),
    pages=(
        Place(
            path="/{workspace}/work/pipelines",
            title="Pipelines",
            place="work",
            icon="workflow",
            permission="lifecycle.read",
            order=10,
        ),
        Place(
            path="/{workspace}/work/runs",
            title="Pipeline runs",
            place="work",
            icon="list-checks",
            permission="lifecycle.read",
            order=15,
        ),
        Place(
            path="/{workspace}/work/rollouts",
            title="Rollouts",
            place="work",
            icon="trending-up",
            permission="lifecycle.read",
            order=18,
        ),
    ),
    panels={"services.rollout": "aimass.lifecycle.console.rollouts:panel"},
    attention="aimass.lifecycle.jobs:attention",
    erase="aimass.lifecycle.erasing:erase",
    search="aimass.lifecycle.search:document",
)
