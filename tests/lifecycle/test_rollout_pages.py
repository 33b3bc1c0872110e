"""The pages of rollouts over HTTP: who sees them, and what each action does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aimass.lifecycle.rollouts import Rollout
from tests.fixtures.rolling import Rolling, rolling_site
from tests.fixtures.site import ROLES, Site, unnamed_actions

LIST = "/demo/work/rollouts"
FORM = {"endpoint": "churn", "model": "churn", "model_version": 2, "steps": "5, 50 100", "bake_min": 1, "requests": 20}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Rolling]]:
    with rolling_site(tmp_path_factory.mktemp("site") / "d") as found:
        yield found


@pytest.fixture
def site(place: tuple[Site, Rolling]) -> Site:
    return place[0]


@pytest.fixture
def rolling(place: tuple[Site, Rolling]) -> Rolling:
    return place[1]


@pytest.fixture
def running(site: Site, rolling: Rolling) -> Iterator[Rollout]:
    """A rollout at its first step, which is over when the test is."""
    version = (rolling.deployment("champion").served_version or 0) % 3 + 1  # another than the one that answers
    form = {**FORM, "model_version": version, "reason": "better on new customers"}
    answer = site.visitor("operator").do("POST", LIST, **form)
    (one,) = [one for one in rolling.lifecycle.open_rollouts() if one.endpoint == "churn"]
    assert answer.headers["hx-redirect"] == f"{LIST}/{one.id}"
    rolling.turn()
    yield rolling.get(one)
    if rolling.get(one).ended_at is None:
        site.visitor("operator").do("POST", f"{LIST}/{one.id}/rollback")
    rolling.turn()


@pytest.mark.parametrize("role", [*ROLES, "stranger", None])
def test_members_read_them_and_nobody_else(site: Site, running: Rollout, role: str | None) -> None:
    wanted = {"stranger": 404, None: 303}.get(role, 200)
    for path in (LIST, f"{LIST}?state=RUNNING&endpoint=churn", f"{LIST}/{running.id}"):
        assert site.visitor(role).open(path).status_code == wanted


def test_the_page_says_where_it_stands_and_offers_what_may_be_done(site: Site, running: Rollout) -> None:
    text = site.visitor("operator").open(f"{LIST}/{running.id}").text
    for words in (
        f"churn v{running.model_version} → churn",
        "5 % of the traffic now",
        "better on new customers",
        "Promote now",
    ):
        assert words in text
    assert unnamed_actions(text, site.cases()) == []
    assert f'hx-post="{LIST}' not in site.visitor("viewer").open(f"{LIST}/{running.id}").text


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("analyst", 403), ("editor", 403), ("stranger", 404)])
def test_who_may_not_change_the_service_may_not_move_it(
    site: Site, rolling: Rolling, running: Rollout, role: str, status: int
) -> None:
    for deed in ("pause", "promote", "rollback"):
        assert site.visitor(role).do("POST", f"{LIST}/{running.id}/{deed}").status_code == status
    assert rolling.get(running).state == "RUNNING"


def test_the_figures_of_the_last_look_are_shown(site: Site, rolling: Rolling, running: Rollout) -> None:
    rolling.pass_(5)
    rolling.traffic("champion", 400)
    rolling.traffic("canary", 30)
    rolling.turn()
    text = site.visitor("viewer").open(f"{LIST}/{running.id}").text
    assert "does well" in text
    assert "main deployment" in text


def test_it_is_paused_with_an_undo_resumed_and_promoted(site: Site, rolling: Rolling, running: Rollout) -> None:
    omar, address = site.visitor("operator"), f"{LIST}/{running.id}"
    paused = omar.do("POST", f"{address}/pause", reason="until Monday")
    assert (paused.status_code, rolling.get(running).state) == (204, "PAUSED")
    assert f"{address}/resume" in paused.headers["hx-trigger"]
    assert "until Monday" in omar.open(address).text
    assert rolling.get(running).stands_still == "until Monday"
    omar.do("POST", f"{address}/resume")
    assert rolling.get(running).state == "RUNNING"
    omar.do("POST", f"{address}/promote")
    rolling.turn()
    assert rolling.get(running).state == "PROMOTED"
    assert rolling.deployment("champion").served_version == running.model_version
    answer = omar.do("POST", f"{LIST}", **{**FORM, "model_version": running.model_version})
    assert (answer.status_code, "is what" in answer.text) == (409, True)


@pytest.mark.parametrize("steps", ["ten", "50, 10", "0 100", "10 101"])
def test_steps_that_do_not_grow_are_said_beside_the_field(site: Site, steps: str) -> None:
    answer = site.visitor("operator").do("POST", LIST, **{**FORM, "model_version": 3, "steps": steps})
    assert (answer.status_code // 100, "steps" in answer.text) == (4, True)


def test_an_empty_list_says_what_a_rollout_is(site: Site) -> None:
    text = site.visitor("viewer").open(f"{LIST}?endpoint=nowhere").text
    assert "nowhere" in text
    assert site.visitor("viewer").open(f"{LIST}/01JZZZZZZZZZZZZZZZZZZZZZZZ").status_code == 404
