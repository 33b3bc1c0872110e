"""The pages of batch inference over HTTP: who sees what, and what each action does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from aimass.access.domain.members import ChangeWorkspace
from aimass.serving.domain.scoring import ListScorings
from tests.fixtures.rooms import Rooms
from tests.fixtures.scoring import ANN, ROOMS, Batch, rows, with_models
from tests.fixtures.site import ROLES, Site, site_of, unnamed_actions

AT = "/demo/work/scorings"


@dataclass
class Desk:
    site: Site
    batch: Batch
    done: str


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("scorings")
    with site_of(folder, ROOMS) as site:
        site.access.change_workspace(site.root, ChangeWorkspace(workspace="demo", review="auto"))
        batch = with_models(Rooms(folder, ROOMS, registry=site.registry))
        batch.dataset("customers", rows(250))
        batch.dataset("renamed", rows(20).rename({"c1": "charge"}))
        batch.serve()
        done = batch.score()
        assert done.state == "SUCCEEDED", done.error
        yield Desk(site, batch, done.id)


@pytest.mark.parametrize("path", ["", "/new", "/new?dataset=renamed", "/{done}", "?state=FAILED", "?dataset=scores"])
def test_each_page_opens_for_every_role_and_names_its_operations(desk: Desk, path: str) -> None:
    path = AT + path.format(done=desk.done)
    for role in ROLES:
        assert desk.site.visitor(role).open(path).status_code == 200, role
    assert desk.site.visitor("stranger").open(path).status_code == 404
    assert unnamed_actions(desk.site.visitor("root").open(path).text, desk.site.cases()) == []


def test_the_list_leads_to_rows_model_and_predictions(desk: Desk) -> None:
    page = desk.site.visitor("viewer").open(AT).text
    for link in (f"{AT}/{desk.done}", "/demo/services/churn", "/demo/data/scores"):
        assert f'href="{link}"' in page
    assert "Score a dataset" in page
    assert f'href="{AT}/new"' not in page
    assert f'href="{AT}/new"' in desk.site.visitor("editor").open(AT).text


def test_the_form_shows_which_input_lacks_a_column_and_takes_another(desk: Desk) -> None:
    editor = desk.site.visitor("editor")
    page = editor.open(f"{AT}/new?scorer=endpoint:churn&dataset=renamed").text
    assert "has no column" in page
    assert 'type="submit"' not in page.split('id="scoring-wish"')[1].split("</form>")[0]
    mended = editor.open(f"{AT}/new?scorer=endpoint:churn&dataset=renamed&feeds:c1=charge").text
    assert "has no column" not in mended
    assert "probability_Yes" in mended


def test_a_scoring_is_started_followed_and_stopped_from_the_console(desk: Desk) -> None:
    editor = desk.site.visitor("editor")
    form = {"scorer": "endpoint:churn", "dataset": "renamed", "to": "by-console", "feeds:c1": "charge", "keep": "none"}
    answer = editor.do("POST", AT, **form)
    assert answer.status_code == 204, answer.text
    at = answer.headers["hx-redirect"]
    assert "about to start" in editor.open(at).text
    stopped = editor.do("POST", f"{at}/cancel")
    assert "stops" in json.loads(stopped.headers["hx-trigger"])["toast"]["text"]
    (one,) = desk.batch.serving.list_scorings(ANN, ListScorings(workspace="demo", dataset="by-console")).items
    assert (one.columns, one.keep) == ({"c0": "c0", "c1": "charge"}, [])
    assert desk.batch.ended(one).state == "CANCELLED"
    for role in ("viewer", "analyst", "operator"):
        assert desk.site.visitor(role).do("POST", AT, **form).status_code == 403, role
