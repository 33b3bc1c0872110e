from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.access import Access, CreateKey, CreateService, CreateWorkspace
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.gateway import CAPABILITY as GATEWAY
from aimass.gateway.jobs import publish
from aimass.kernel.principal import SYSTEM
from aimass.models import CAPABILITY as MODELS
from aimass.models import Models, SetAlias
from aimass.serving import CAPABILITY as SERVING
from aimass.serving import CreateEndpoint, Deploy, Deployment, Endpoint, OneEndpoint, Serving
from aimass.serving.jobs import reconcile
from tests.fixtures import gateway as plane
from tests.fixtures.packages import approved, candidate, oip
from tests.fixtures.rooms import Rooms, person

ROOMS = [ACCESS, CLUSTER, MODELS, SERVING, GATEWAY]
ANN = person("Ann", "serving.read", "serving.edit", "models.read", "models.edit", "gateway.read", "gateway.edit")


@dataclass
class Stage:
    """Rooms of control with a real gateway process beside them."""

    rooms: Rooms
    gateway: plane.Gateway
    key: str = ""
    started: list[Any] = field(default_factory=list)

    @property
    def serving(self) -> Serving:
        return self.rooms.get(Serving)

    def turn(self) -> None:
        """One round of both loops."""
        reconcile(self.rooms.registry)
        publish(self.rooms.registry)

    def until(self, true: Any, within: float = 30) -> Any:
        plane.wait_for(lambda: self.turn() or true(), within=within)
        return self.endpoint()

    def endpoint(self, slug: str = "churn") -> Endpoint:
        return self.serving.get_endpoint(ANN, OneEndpoint(workspace="demo", endpoint=slug))

    def deployment(self, name: str = "champion") -> Deployment:
        return next(one for one in self.endpoint().deployments if one.name == name)

    def deploy(self, version: int | None = None, **more: Any) -> Endpoint:
        return self.serving.deploy(
            ANN, Deploy(workspace="demo", endpoint="churn", **{"model": "churn", "model_version": version, **more})
        )

    def ready(self, version: int, name: str = "champion") -> None:
        self.until(lambda: (d := self.deployment(name)).state == "READY" and d.served_version == version)

    def alias(self, number: int, alias: str = "champion") -> None:
        command = SetAlias(workspace="demo", model="churn", alias=alias, number=number)
        self.rooms.get(Models).set_alias(ANN, command)

    def start_gateway(self) -> None:
        self.gateway.start()

    def infer(self, **more: Any) -> plane.Answer:
        return plane.ask(self.gateway, "POST", "/v2/models/churn/infer", oip(), **{"key": self.key, **more})

    def answers(self, status: int = 200) -> plane.Answer:
        found: list[plane.Answer] = []
        self.until(lambda: found.append(self.infer()) or found[-1].status == status)
        return found[-1]


@pytest.fixture(scope="session")
def library() -> Iterator[Path]:
    """A data directory with three approved versions of churn, and one that needs Python; made once, copied by tests."""
    folder = Path(tempfile.mkdtemp(prefix="am"))
    rooms = Rooms(folder / "d", ROOMS).start()
    rooms.get(Access).create_workspace(SYSTEM, CreateWorkspace(name="demo", slug="demo", review="auto"))
    for seed in (0, 1, 2):
        approved(rooms, ANN, "churn", candidate(seed))
    approved(rooms, ANN, "scikit", candidate(3, to_onnx=False))
    rooms.close()
    yield folder / "d"
    shutil.rmtree(folder)


@pytest.fixture
def stage(library: Path) -> Iterator[Stage]:
    """An endpoint ``churn`` without deployments, a key that may use it, and a gateway that is not started."""
    folder = Path(tempfile.mkdtemp(prefix="am"))
    shutil.copytree(library, folder / "d", dirs_exist_ok=True)
    rooms = Rooms(folder / "d", ROOMS).start()
    stage = Stage(rooms, plane.Gateway(folder / "d"))
    access = rooms.get(Access)
    access.create_service(SYSTEM, CreateService(workspace="demo", name="shop", role="analyst"))
    stage.key = access.create_key(SYSTEM, CreateKey(workspace="demo", name="shop", service="shop")).text
    stage.serving.create_endpoint(ANN, CreateEndpoint(workspace="demo", name="churn"))
    yield stage
    if stage.gateway.process is not None:
        stage.gateway.stop()
    rooms.close()
    shutil.rmtree(folder)


@pytest.fixture
def live(stage: Stage) -> Stage:
    """The same with its gateway running, and version 1 answering."""
    stage.turn()
    stage.start_gateway()
    stage.deploy(1)
    stage.ready(1)
    return stage
