"""Models of tensors in the playground, and programs to copy that run as they stand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from aimass.access import Access
from aimass.access.domain.members import GiveRole
from aimass.access.domain.people import InviteUser, UseLink
from aimass.kernel.errors import Invalid
from aimass.kernel.principal import ANONYMOUS, SYSTEM, Principal
from aimass.serving import CreateEndpoint, Deploy, OneEndpoint
from aimass.serving.console.playground import value_of
from aimass.serving.domain.snippets import Example, snippet_of
from aimass.serving.domain.trials import GetSignature, Input, TryEndpoint
from aimass.serving.library import example_of
from aimass.serving.trying import Tryouts
from tests.fixtures.matrices import VALUES, matrices
from tests.fixtures.packages import approved
from tests.fixtures.served import served
from tests.fixtures.stage import ANN, Stage
from tests.serving.test_trials import turning

PLACE: dict[str, Any] = {"workspace": "demo", "endpoint": "matrix"}
ENDPOINT = OneEndpoint(**PLACE)


@pytest.fixture
def tensors(live: Stage, tmp_path: Path) -> Stage:
    """The stage with an endpoint whose model takes tensors."""
    approved(live.rooms, ANN, "matrix", matrices(tmp_path / "matrix"))
    live.serving.create_endpoint(ANN, CreateEndpoint(workspace="demo", name="matrix"))
    live.serving.deploy(ANN, Deploy(**PLACE, model="matrix", model_version=1))
    live.until(lambda: live.endpoint("matrix").deployments[0].state == "READY")
    live.applied()
    return live


@pytest.fixture
def bob(tensors: Stage) -> Principal:
    access = tensors.rooms.get(Access)
    tensors.rooms.get(Tryouts).url = lambda: f"http://127.0.0.1:{tensors.gateway.port}"
    link = access.invite_user(SYSTEM, InviteUser(name="bob"))
    person = access.accept_invitation(ANONYMOUS, UseLink(token=link.token, password="four small brown bears"))
    access.give_role(SYSTEM, GiveRole(workspace="demo", role="analyst", user="bob"))
    return access.principal(person.id)


def test_the_signature_shows_tensors_with_an_example(tensors: Stage) -> None:
    shown = tensors.serving.get_signature(ANN, GetSignature(**PLACE))
    assert [(one.name, one.datatype, one.shape) for one in shown.inputs] == [
        ("in_FP32", "FP32", [-1, 3]),
        ("in_UINT8", "UINT8", [-1, 8, 8, 3]),
        ("in_BYTES", "BYTES", [-1, 2]),
    ]
    assert {one.name: one.example for one in shown.inputs} == VALUES
    assert not shown.explains


def test_tensors_that_are_tried_come_back(tensors: Stage, bob: Principal) -> None:
    with turning(tensors):
        said = tensors.serving.try_endpoint(bob, TryEndpoint(**PLACE, row=VALUES))
    assert (said.label, said.model) == (None, "matrix")
    assert said.outputs["out_BYTES"] == ["a", "b"]
    with turning(tensors), pytest.raises(Invalid) as refused:
        tensors.serving.try_endpoint(bob, TryEndpoint(**PLACE, row={**VALUES, "in_FP32": [1.0]}))
    assert refused.value.field == "in_FP32"


def test_a_tensor_is_written_as_json() -> None:
    column = Input(
        name="m",
        type="float",
        nullable=False,
        categories=None,
        unseen="serve",
        example=None,
        shape=[-1, 2],
        datatype="FP32",
    )
    assert value_of(column, "[1, 2.5]") == [1, 2.5]
    with pytest.raises(Invalid) as refused:
        value_of(column, "[1, 2")
    assert (refused.value.field, refused.value.value) == ("in:m", "[1, 2")


def ran(program: list[str], **environment: str) -> str:
    done = subprocess.run(
        program, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def snippets(stage: Stage, endpoint: str) -> Any:
    place = OneEndpoint(workspace="demo", endpoint=endpoint)
    revision = stage.serving._main("demo", endpoint)
    example = Example(
        url=f"http://127.0.0.1:{stage.gateway.port}",
        workspace="demo",
        endpoint=endpoint,
        columns=example_of(Path(revision.package)),
    )
    made = snippet_of(example)
    assert stage.serving.get_snippet(ANN, place).mlflow.startswith("curl")
    return replace(made, **{name: getattr(made, name).replace("{key}", stage.key) for name in PROGRAMS})


PROGRAMS = ("curl", "python", "tritonclient", "mlflow")


def test_every_program_for_a_table_runs_as_it_stands(tensors: Stage) -> None:
    shown = snippets(tensors, "churn")
    (label, _) = json.loads(ran(["bash", "-c", shown.curl]))["outputs"]
    (answer,) = label["data"]
    assert json.loads(ran(["bash", "-c", shown.mlflow])) == {"predictions": [answer]}
    assert answer in ran([sys.executable, "-c", shown.python])
    assert "probabilities" in ran([sys.executable, "-W", "ignore", "-c", shown.tritonclient])


def test_the_programs_for_tensors_run_where_their_values_can_be_written(tensors: Stage) -> None:
    shown = snippets(tensors, "matrix")
    assert "out_UINT8" in ran([sys.executable, "-c", shown.python])
    assert "out_UINT8" in ran([sys.executable, "-W", "ignore", "-c", shown.tritonclient])
    assert '"<192 values>"' in shown.curl
    assert '"<192 values>"' in shown.mlflow


def test_the_page_takes_tensors_as_json_and_offers_every_program(tmp_path: Path) -> None:
    with served() as stage:
        approved(cast("Any", stage.site.registry), stage.site.people["root"], "matrix", matrices(tmp_path / "matrix"))
        stage.serving.create_endpoint(SYSTEM, CreateEndpoint(workspace="demo", name="matrix"))
        stage.serving.deploy(
            stage.site.people["operator"], Deploy(**PLACE, model="matrix", model_version=1, reason="new")
        )
        stage.until(lambda: stage.endpoint("matrix").deployments[0].state == "READY")
        page = stage.site.visitor("analyst").open("/demo/services/matrix/playground").text
        assert "[1.5, 2.5, 3.5]" in page
        assert "playground/explain" not in page
        assert "playground/explain" in stage.site.visitor("analyst").open("/demo/services/churn/playground").text
        assert "FP32 as JSON, shape [3]" in page
        assert "/mlflow/matrix/invocations" in page
        given = {f"in:{name}": json.dumps(value) for name, value in VALUES.items()}
        with stage.turning():
            answer = stage.site.visitor("analyst").do("POST", "/demo/services/matrix/playground", **given)
        assert answer.status_code == 200, answer.text
        assert "out_BYTES" in answer.text
        wrong = {**given, "in:in_FP32": "[1"}
        refused = stage.site.visitor("analyst").do("POST", "/demo/services/matrix/playground", **wrong)
        assert (refused.status_code, refused.json()["field"]) == (400, "in:in_FP32")
