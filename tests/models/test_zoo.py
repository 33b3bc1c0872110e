"""Ready models: each is whole and answers as it says, is taken once, and goes through the review of any version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection

from aimass.kernel.errors import AimassError, Forbidden
from aimass.kernel.principal import ANONYMOUS, Principal
from aimass.kernel.usecase import use_cases
from aimass.models import Models, OneVersion, load_model, said_of, verify_package
from aimass.models.domain import EditCard, ListReady, OneReady, TakeReady
from aimass.models.zoo import FAMILIES, _read, package_folder, ready_models
from aimass.web.api import AppParts, create_app
from tests.fixtures.rooms import Rooms, person

TAKE = "/api/v1/workspaces/demo/zoo/churn"


@pytest.fixture
def models(rooms: Rooms) -> Models:
    return rooms.get(Models)


@pytest.mark.parametrize("name", ready_models())
def test_a_ready_model_is_whole_and_answers_its_samples(name: str) -> None:
    ready, package = ready_models()[name], verify_package(package_folder(name))
    assert (ready.digest, ready.family in FAMILIES) == (package.digest, True)
    assert ready.runtime in ("onnx", "language", "sentences")  # data alone: nobody has to trust code
    assert package.manifest.entry is None
    assert ready.data.licence
    assert ready.data.source
    assert {"intended_use", "limits"} <= set(ready.card)
    samples = package.samples()
    said = load_model(package).predict({k: np.asarray(v, dtype=object) for k, v in samples["inputs"].items()})
    for output, expected in samples["outputs"].items():
        found = np.asarray(said[output])
        if found.dtype.kind in "fi":
            np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-3, atol=1e-4)
        else:
            assert found.tolist() == expected


@pytest.mark.parametrize("name", ready_models())
def test_its_figure_is_that_of_rows_it_never_saw(name: str) -> None:
    ready = ready_models()[name]
    interval = ready.evaluation["interval"]
    assert ready.evaluation["part"] == "test"
    assert interval["low"] <= interval["value"] <= interval["high"]
    assert ready.metrics[f"test_{interval['metric']}"] == pytest.approx(interval["value"], abs=1e-9)


def test_one_is_taken_once_with_its_card(models: Models, ann: Principal) -> None:
    version = models.take_ready(ann, TakeReady(workspace="demo", ready="churn"))
    assert (version.model, version.number, version.origin, version.source) == ("churn", 1, "zoo", "churn")
    assert version.facts.recipe == "gradient_boosting"
    assert version.review is None  # taking is no approval
    card = {section.name: section for section in models.get_card(ann, _named(version.number)).sections}
    assert "try out tables" in card["intended_use"].text
    assert "Apache-2.0" in card["data"].text
    assert card["intended_use"].origin == "facts"
    models.edit_card(ann, EditCard(workspace="demo", model="churn", number=1, section="limits", text="Ours alone."))
    again = models.take_ready(ann, TakeReady(workspace="demo", ready="churn"))
    assert again.id == version.id
    assert {s.name: s.text for s in models.get_card(ann, _named(1)).sections}["limits"] == "Ours alone."


def _named(number: int) -> OneVersion:
    return OneVersion(workspace="demo", model="churn", number=number)


def test_it_may_have_another_name(models: Models, ann: Principal) -> None:
    version = models.take_ready(ann, TakeReady(workspace="demo", ready="customers", model="groups"))
    assert (version.model, version.signature.classes) == (
        "groups",
        ("cluster 1", "cluster 2", "cluster 3", "cluster 4"),
    )


def test_those_who_may_not_edit_a_model_do_not_take_one(models: Models, eve: Principal) -> None:
    one = person("One", "models.read", workspace="demo")
    for who in (eve, one):
        with pytest.raises(Forbidden):
            models.take_ready(who, TakeReady(workspace="demo", ready="churn"))


def test_they_are_found_by_family_task_and_words(models: Models, eve: Principal) -> None:
    def names(**wish: str) -> list[str]:
        return [one.name for one in models.list_ready(eve, ListReady(**wish))]  # type: ignore[arg-type]

    assert names() == list(ready_models())
    assert names(family="clustering") == ["customers"]
    assert names(task="forecasting") == ["bikes"]
    assert names(text="Chinese REVIEWS") == ["reviews-zh"]
    assert names(text="nothing of the kind") == []
    assert models.get_ready(eve, OneReady(ready="digits")).family == "image-classification"
    with pytest.raises(AimassError, match="no ready model 'missing'"):
        models.get_ready(eve, OneReady(ready="missing"))


def test_a_broken_about_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "package").symlink_to(package_folder("churn"))
    about = json.loads((package_folder("churn").parent / "about.json").read_bytes())
    (folder / "about.json").write_text(json.dumps({**about, "family": "magic"}))
    with pytest.raises(AimassError, match="ready model 'odd': family"):
        _read(folder)


@pytest.fixture
def http(rooms: Rooms, ann: Principal, eve: Principal) -> Iterator[TestClient]:
    people = {"ann": ann, "eve": eve}

    def authenticate(connection: HTTPConnection) -> Principal:
        return people.get(connection.headers.get("x-who", ""), ANONYMOUS)

    models = rooms.get(Models)
    cases = [(case, models) for case in use_cases(models)]
    with TestClient(create_app(AppParts(registry=rooms.registry, authenticate=authenticate, cases=cases))) as client:
        yield client


@pytest.mark.parametrize(("who", "status"), [("ann", 201), ("eve", 403), ("", 401)])
def test_each_kind_of_caller_over_http(http: TestClient, who: str, status: int) -> None:
    reply = http.post(TAKE, json={}, headers={"x-who": who})
    assert reply.status_code == status, reply.text


def test_the_answer_of_a_ready_model_has_the_shape_of_its_signature() -> None:
    package = verify_package(package_folder("topics"))
    said = load_model(package).predict(
        {"text": np.array(["How do I rotate a certificate of the gateway?"], dtype=object)}
    )
    chances = np.asarray(said_of(package.manifest.signature, said))
    assert chances.shape == (1, 5)
    assert package.manifest.signature.classes[int(chances[0].argmax())] == "gateway"
