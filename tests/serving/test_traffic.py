from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from aimass.infra.database import Database, events_log, lineage_edges
from aimass.kernel.errors import Conflict, Forbidden, Invalid, Stale
from aimass.kernel.principal import Grant, Principal
from aimass.serving import Endpoint, ListHistory, ListRevisions, OneEndpoint, Promote, RollBack, SetTraffic
from tests.fixtures.gateway import wait_for
from tests.fixtures.rooms import person
from tests.fixtures.stage import ANN, Stage

CANARY = {"champion": 90, "canary": 10}


def roll_back(stage: Stage, **more: object) -> Endpoint:
    return stage.serving.roll_back(ANN, RollBack(workspace="demo", endpoint="churn", **more))  # pyright: ignore[reportArgumentType]


@pytest.fixture
def canary(live: Stage) -> Stage:
    """Version 1 with 90 %, version 2 as canary with 10 %."""
    live.deploy(2, name="canary", weight=10, reason="retrained")
    live.ready(2, "canary")
    return live


def test_a_canary_gets_its_share(canary: Stage) -> None:
    canary.applied()
    versions = [canary.infer().json()["model_version"] for _ in range(120)]
    assert dict(canary.endpoint().traffic.weights) == CANARY
    assert 0 < versions.count("2") < 60


def test_weights_that_break_a_rule_are_refused(canary: Stage) -> None:
    def share(**weights: int) -> None:
        canary.serving.set_traffic(ANN, SetTraffic(workspace="demo", endpoint="churn", weights=weights))

    with pytest.raises(Invalid, match="sum to 90"):
        share(champion=80, canary=10)
    with pytest.raises(Invalid, match="no deployment 'nobody'"):
        share(champion=80, nobody=20)
    with pytest.raises(Invalid, match="no percentage"):
        share(champion=120, canary=-20)


def test_a_shadow_answers_nobody(canary: Stage) -> None:
    command = SetTraffic(workspace="demo", endpoint="churn", weights=CANARY, shadow="canary")
    with pytest.raises(Invalid, match="the shadow 'canary' has a weight of 10"):
        canary.serving.set_traffic(ANN, command)
    canary.serving.set_traffic(ANN, replace(command, weights={"champion": 100}))
    canary.applied()
    assert {canary.infer().json()["model_version"] for _ in range(20)} == {"1"}


def test_who_read_an_older_version_is_told(canary: Stage) -> None:
    old = canary.endpoint().version
    command = SetTraffic(workspace="demo", endpoint="churn", weights=CANARY, expected_version=old)
    canary.serving.set_traffic(ANN, command)
    with pytest.raises(Stale):
        canary.serving.set_traffic(ANN, command)


def test_promotion_makes_the_canary_the_main_deployment(canary: Stage) -> None:
    canary.serving.promote(ANN, Promote(workspace="demo", endpoint="churn"))
    canary.ready(2)
    shown = canary.endpoint()
    assert dict(shown.traffic.weights) == {"champion": 100, "canary": 0}
    assert canary.deployment("canary").state == "STOPPED"
    canary.applied()
    assert {canary.infer().json()["model_version"] for _ in range(20)} == {"2"}
    canary.serving.promote(ANN, Promote(workspace="demo", endpoint="churn"))
    assert canary.deployment().target == 3


def test_a_canary_that_does_not_answer_is_not_promoted(live: Stage) -> None:
    live.deploy(2, name="canary", weight=10)
    with pytest.raises(Conflict, match="'canary' does not answer"):
        live.serving.promote(ANN, Promote(workspace="demo", endpoint="churn"))
    with pytest.raises(Conflict, match="the main deployment already"):
        live.serving.promote(ANN, Promote(workspace="demo", endpoint="churn", deployment="champion"))


def test_roll_back_takes_a_canary_out_once(canary: Stage) -> None:
    roll_back(canary, reason="errors", deployment="canary")
    roll_back(canary, reason="errors", deployment="canary")
    assert dict(canary.endpoint().traffic.weights) == {"champion": 100, "canary": 0}
    assert canary.deployment().served_version == 1


def test_roll_back_returns_to_what_ran_before_and_further_back_the_second_time(live: Stage) -> None:
    for version in (2, 3):
        live.deploy(version)
        live.ready(version)
    roll_back(live)
    live.ready(2)
    roll_back(live)
    live.ready(1)
    with pytest.raises(Conflict, match="ran nothing before"):
        roll_back(live)
    roll_back(live, revision=3)
    live.ready(3)


def test_a_roll_back_holds_until_the_alias_moves_again(live: Stage) -> None:
    live.alias(2)
    live.deploy(None, alias="champion")
    live.ready(2)
    roll_back(live)
    live.ready(1)
    follows = next(c for c in live.deployment().conditions if c.type == "FollowsAlias")
    assert not follows.status
    assert live.deployment().is_held
    assert follows.reason == "held at version 1; alias 'champion' is at version 2, and is followed again when it moves"
    assert live.serving.follow_alias(ANN, "demo", "churn", "champion") == 0
    live.alias(3)
    assert live.serving.follow_alias(ANN, "demo", "churn", "champion") == 1
    live.ready(3)
    assert not live.deployment().is_held


def test_the_history_tells_who_ran_what_when(canary: Stage) -> None:
    bob = person("Bob", "serving.edit", "serving.read")
    canary.serving.apply_weights(bob, "demo", "churn", {"champion": 50, "canary": 50}, "half")
    canary.serving.apply_weights(bob, "demo", "churn", {"champion": 50, "canary": 50}, "half")
    roll_back(canary, reason="errors")
    page = canary.serving.list_history(ANN, ListHistory(workspace="demo", endpoint="churn", limit=3))
    rest = canary.serving.list_history(ANN, ListHistory(workspace="demo", endpoint="churn", cursor=page.next))
    told = [(e.kind, e.cause, e.actor, e.model_version) for e in [*page.items, *rest.items]]
    assert told == [
        ("traffic", "rollback", "Ann", None),
        ("traffic", "traffic", "Bob", None),
        ("revision", "deploy", "Ann", 2),
        ("traffic", "deploy", "Ann", None),
        ("revision", "deploy", "Ann", 1),
        ("traffic", "deploy", "Ann", None),
    ]
    assert rest.items[-2].ready_at is not None


def test_a_viewer_changes_nothing_and_a_grant_on_the_endpoint_suffices(live: Stage) -> None:
    eve = person("Eve", "serving.read")
    with pytest.raises(Forbidden):
        live.serving.roll_back(eve, RollBack(workspace="demo", endpoint="churn"))
    grant = Grant(workspace="demo", object="endpoint:churn", permissions=frozenset({"serving.edit"}))
    joe = Principal(id="joe", name="Joe", kind="user", grants=(grant,))
    command = SetTraffic(workspace="demo", endpoint="churn", weights={"champion": 100})
    assert live.serving.set_traffic(joe, command).slug == "churn"


def test_events_and_lineage_name_the_revision(live: Stage) -> None:
    (revision,) = live.serving.list_revisions(ANN, ListRevisions(workspace="demo", endpoint="churn")).items
    with live.rooms.get(Database).read() as conn:
        kinds = set(conn.execute(select(events_log.c.type).where(events_log.c.subject == "endpoint:churn")).scalars())
        edge = conn.execute(select(lineage_edges).where(lineage_edges.c.dst_id == revision.id)).one()
    assert {"serving.endpoint.created", "serving.revision.created", "serving.deployment.ready"} <= kinds
    assert (edge.src_kind, edge.src_id, edge.dst_kind) == ("model_version", "churn/1", "revision")


def test_the_snippets_are_programs_with_a_sample(live: Stage) -> None:
    shown = live.serving.get_snippet(ANN, OneEndpoint(workspace="demo", endpoint="churn"))
    assert shown.url.endswith("/v2/models/churn/infer")
    assert '"name": "c0"' in shown.curl
    for program in (shown.python, shown.tritonclient):
        compile(program, "snippet", "exec")


def policy(stage: Stage, **said: object) -> Endpoint:
    weights = {name: 100 if name == "champion" else 0 for name in ("champion", "canary")}
    command = SetTraffic(workspace="demo", endpoint="churn", weights=weights)
    return stage.serving.set_traffic(ANN, replace(command, **said))  # pyright: ignore[reportArgumentType]


STATIC = {"label": "No", "probabilities": [1, 0]}


def test_a_policy_is_kept_told_and_taken_back_part_by_part(canary: Stage) -> None:
    policy(canary, split="header", split_by="X-Session", fallback="canary", static=STATIC, reason="trial")
    policy(canary, shadow_percent=20, fallback_on=["timeout", "error"], fallback_after_s=0.5)
    traffic = canary.endpoint().traffic
    assert (traffic.split, traffic.split_by, traffic.fallback) == ("header", "x-session", "canary")
    assert (traffic.shadow_percent, traffic.fallback_on, traffic.fallback_after_s) == (20, ["error", "timeout"], 0.5)
    assert traffic.static == {"label": "No", "probabilities": [1.0, 0.0]}
    entries = canary.serving.list_history(ANN, ListHistory(workspace="demo", endpoint="churn")).items
    assert entries[0].policy["shadow_percent"] == 20
    assert entries[1].policy["split_by"] == "x-session"
    policy(canary, split="random", fallback="", static={}, shadow_percent=100, fallback_after_s=0)
    traffic = canary.endpoint().traffic
    assert (traffic.split, traffic.fallback, traffic.static, traffic.fallback_after_s) == ("random", None, None, None)


def test_what_a_policy_cannot_say_is_named(canary: Stage) -> None:
    for said, field, text in (
        ({"split": "header"}, "split_by", "needs its name"),
        ({"split": "header", "split_by": "Authorization"}, "split_by", "no header to assign"),
        ({"split": "moon"}, "split", "no way to assign"),
        ({"fallback_on": ["rain"]}, "fallback_on", "no trouble"),
        ({"shadow_percent": 0}, "shadow_percent", "no percentage"),
        ({"fallback_after_s": -1.0}, "fallback_after_s", "no time"),
        ({"static": {"label": "No"}}, "static", "needs 2 numbers"),
        ({"static": {**STATIC, "score": 1}}, "static", "no output 'score'"),
        ({"static": {**STATIC, "label": "Maybe"}}, "static", "no class of the model"),
        ({"static": {**STATIC, "label": 7}}, "static", "needs a string"),
    ):
        with pytest.raises(Invalid, match=text) as refused:
            policy(canary, **said)
        assert refused.value.field == field


def test_the_gateway_gives_the_static_answer_that_control_keeps(live: Stage) -> None:
    command = SetTraffic(workspace="demo", endpoint="churn", weights={"champion": 100}, static=STATIC)
    live.deploy(None, model="scikit", model_version=1, name="champion")
    live.until(lambda: live.deployment().state == "READY" and live.deployment().model == "scikit")
    live.serving.set_traffic(ANN, command)
    live.applied()
    assert live.infer().status == 200
    live.serving.reconciler._ground.workers.close()
    wait_for(lambda: live.infer().headers.get("x-aimass-fallback") == "champion: not_ready")
    assert live.infer().json()["outputs"][0]["data"] == ["No"]
