"""The room training announces itself."""

from __future__ import annotations

from aimass.cluster import Jobs
from aimass.infra.blobs import Blobs
from aimass.infra.compute import WarmChild
from aimass.infra.database import Database
from aimass.infra.live import LiveHub
from aimass.kernel.capability import Capability, JobKind, Loop, Place
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry
from aimass.lake import AboutVersion, Lake
from aimass.models import Models
from aimass.training.events import ALL
from aimass.training.service.ground import Ground
from aimass.training.service.training import Training

CAPABILITY = Capability(
    name="training",
    title="Training",
    requires=("cluster", "lake", "models"),
    permissions=("training.read", "training.use", "training.edit", "training.manage"),
    tables="aimass.training.tables",
    build="aimass.training.capability:build",
    service="aimass.training.service.training:Training",
    api="aimass.training.api:router",
    console="aimass.training.console:router",
    jobs={
        "training.split": JobKind(
            ready="aimass.training.jobs:with_copies",
            run="aimass.training.children.split:split",
            done="aimass.training.jobs:split_done",
            failed="aimass.training.jobs:split_failed",
        ),
        "training.fit": JobKind(
            ready="aimass.training.jobs:with_copies",
            run="aimass.training.children.fit:fit",
            done="aimass.training.jobs:fit_done",
            failed="aimass.training.jobs:fit_failed",
        ),
        "training.own": JobKind(
            ready="aimass.training.jobs:with_copies",
            run="aimass.training.children.own:fit_own",
            done="aimass.training.jobs:fit_done",
            failed="aimass.training.jobs:fit_failed",
        ),
        "training.import_weights": JobKind(
            run="aimass.training.children.importing:import_weights",
            done="aimass.training.jobs:weights_imported",
        ),
        "training.blend": JobKind(
            ready="aimass.training.jobs:with_copies",
            run="aimass.training.children.blend:blend",
            done="aimass.training.jobs:fit_done",
            failed="aimass.training.jobs:fit_failed",
        ),
        "training.compress": JobKind(
            ready="aimass.training.jobs:with_copies",
            run="aimass.training.children.compress:compress",
            done="aimass.training.jobs:compress_done",
            failed="aimass.training.jobs:fit_failed",
        ),
        "training.learn": JobKind(
            ready="aimass.training.jobs:with_copies",
            run="aimass.training.children.learn:learn",
            done="aimass.training.jobs:learn_done",
            failed="aimass.training.jobs:learn_failed",
        ),
        "training.evaluate": JobKind(
            ready="aimass.training.jobs:with_copies",
            run="aimass.training.children.evaluate:evaluate",
            done="aimass.training.jobs:evaluate_done",
            failed="aimass.training.jobs:evaluate_failed",
        ),
        "training.metric_gate": JobKind(
            ready="aimass.training.jobs:with_copies",
            run="aimass.training.children.metric_gate:metric_gate",
            done="aimass.models.jobs:check_done",
            failed="aimass.models.jobs:check_failed",
        ),
    },
    checks={"training.metric_gate": "aimass.training.jobs:gate_payload"},
    loops={
        "training.follow": Loop(run="aimass.training.jobs:follow", every_s=0.5),
        "training.autos": Loop(run="aimass.training.jobs:follow_autos", every_s=0.5),
        "training.learners": Loop(run="aimass.training.jobs:follow_learners", every_s=1.0),
        "training.search": Loop(run="aimass.training.jobs:search", every_s=0.5),
    },
    emits=ALL,
    pages=(
        Place(
            path="/{workspace}/work/experiments",
            title="Experiments",
            place="work",
            icon="flask-conical",
            permission="training.read",
            order=30,
        ),
        Place(
            path="/{workspace}/work/auto",
            title="Automatic training",
            place="work",
            icon="sparkles",
            permission="training.read",
            order=32,
        ),
        Place(
            path="/{workspace}/work/training",
            title="Training runs",
            place="work",
            icon="graduation-cap",
            permission="training.read",
            order=31,
        ),
        Place(
            path="/{workspace}/work/compression",
            title="Compression",
            place="work",
            icon="package-minus",
            permission="training.read",
            order=34,
        ),
        Place(
            path="/{workspace}/work/studies",
            title="Studies",
            place="work",
            icon="telescope",
            permission="training.read",
            order=33,
        ),
        Place(
            path="/{workspace}/work/learners",
            title="Learners",
            place="work",
            icon="refresh-cw",
            permission="training.read",
            order=34,
        ),
        Place(
            path="/{workspace}/work/weights",
            title="Pretrained weights",
            place="work",
            icon="upload",
            permission="training.read",
            order=36,
        ),
    ),
    panels={"models.evaluation": "aimass.training.console.run:evaluation_panel"},
    going="aimass.training.keeping:going",
    collect="aimass.training.keeping:collect",
    blobs="aimass.training.keeping:blobs",
    erase="aimass.training.keeping:erase",
    search="aimass.training.search:document",
)


def build(registry: Registry) -> Training:
    """Build the service."""
    lake = registry.get(Lake)

    def columns(who: Principal, workspace: str, dataset: str, number: int) -> list[str]:
        version = lake.get_version(who, AboutVersion(workspace=workspace, dataset=dataset, number=number))
        return [column.name for column in version.columns]

    ground = Ground(
        database=registry.get(Database),
        blobs=registry.get(Blobs),
        jobs=registry.get(Jobs),
        models=registry.get(Models),
        live=registry.get(LiveHub),
        warm=registry.get(WarmChild),
        locate=lake.locate,
        need_whole=lake.need_whole,
        columns=columns,
        data=registry.get(DataDir).root,
    )
    return Training(ground)
