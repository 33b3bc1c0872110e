"""Rollouts: a version gets more traffic while it does well, and is taken out when it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from aimass.infra.database import Database, events_log
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from aimass.kernel.principal import SYSTEM
from aimass.lifecycle import Lifecycle
from aimass.lifecycle.canary import Evidence, Score
from aimass.lifecycle.jobs import attention
from aimass.lifecycle.rollouts import ListRollouts, Look, NameRollout, Rollout, StartRollout, check_steps, judge
from aimass.models import Models, OneAlias
from aimass.monitoring import Traffic
from aimass.serving import Deploy, ListRevisions, Serving, SetTraffic
from aimass.serving.domain.scaling import Replicas
from tests.fixtures.rolling import ANN, PLACE, Rolling, rolling_rooms
from tests.fixtures.rooms import person


@pytest.fixture
def rolling(tmp_path: Path) -> Iterator[Rolling]:
    with rolling_rooms(tmp_path / "d") as found:
        yield found


def name(found: Rollout) -> NameRollout:
    return NameRollout(workspace="demo", rollout=found.id, reason="by hand")


def go_well(rolling: Rolling, requests: int = 40) -> None:
    """Play a step that goes well and has baked."""
    rolling.pass_(70)
    rolling.traffic("champion", 400)
    rolling.traffic("canary", requests)
    rolling.turn()


def test_a_canary_runs_the_way_the_main_deployment_does(rolling: Rolling) -> None:
    options: dict[str, Any] = {"isolation": "process", "network": True, "device": "cpu", "pinned": True, "max_rows": 8}
    main = Deploy(
        **PLACE, model="churn", placement="isolated", execution="batched", replicas=Replicas(min=2, max=6), **options
    )
    rolling.rooms.get(Serving).deploy(ANN, main)
    rolling.turn()
    rolling.rooms.get(Serving).deploy(ANN, Deploy(**PLACE, model="churn", model_version=3, name="canary", weight=0))
    rolling.turn()
    rolling.start()
    champion, canary = rolling.deployment("champion"), rolling.deployment("canary")
    assert (canary.target_version, canary.placement, canary.resources) == (2, champion.placement, champion.resources)
    assert canary.options == champion.options
    assert canary.options.replicas == Replicas(min=2, max=6)


def test_a_version_that_does_well_climbs_every_step_and_is_promoted(rolling: Rolling) -> None:
    started = rolling.start(reason="retrained")
    assert (started.state, started.steps, started.promote_alias) == ("DEPLOYING", [1, 5, 25, 100], "champion")
    rolling.turn()
    for weight in (1, 5, 25, 100):
        found = rolling.get(started)
        assert (found.state, found.weight, rolling.weights().get("canary")) == ("RUNNING", weight, weight)
        if weight < 100:
            go_well(rolling)
        else:
            rolling.pass_(70)
            rolling.traffic("canary", 500)
            rolling.turn()
    done = rolling.get(started)
    assert (done.state, done.verdict_facts["main"]["requests"]) == ("PROMOTED", 400)
    assert [line.what for line in done.history] == ["started", *["stepped"] * 4, "promoted"]
    rolling.turn()
    assert rolling.deployment("champion").served_version == 2
    assert (rolling.deployment("canary").state, rolling.weights()) == ("STOPPED", {"champion": 100})
    alias = rolling.rooms.get(Models).get_alias(SYSTEM, OneAlias(workspace="demo", model="churn", alias="champion"))
    assert alias.number == 2
    with rolling.rooms.get(Database).read() as conn:
        kinds = [row.type for row in conn.execute(select(events_log)) if row.type.startswith("lifecycle.rollout")]
    assert kinds == [f"lifecycle.rollout.{line.what}" for line in done.history]


def test_a_step_lasts_until_it_has_baked_and_seen_enough(rolling: Rolling) -> None:
    started = rolling.start(steps=[10])
    rolling.turn()
    rolling.traffic("champion", 400)
    rolling.traffic("canary", 5)
    rolling.pass_(70)
    rolling.turn()
    assert (rolling.get(started).step, rolling.get(started).verdict) == (0, "5 of 20 requests of the canary seen")
    rolling.traffic("canary", 30)
    rolling.turn()
    assert rolling.get(started).state == "PROMOTED"
    second = rolling.start(model_version=3, steps=[10])
    rolling.turn()
    rolling.turn()
    rolling.traffic("champion", 400)
    rolling.traffic("canary", 40)
    rolling.turn()
    waits = rolling.get(second)
    assert (waits.state, waits.step) == ("RUNNING", 0)
    assert waits.verdict.startswith("does well; 60 s to go")


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"requests": 40, "errors": 8}, "error rate 20.0% against 0.0%"),
        ({"requests": 40, "rescued": 8}, "error rate 20.0% against 0.0%"),
        ({"requests": 40, "seconds": 0.5}, "p95 "),
        ({"requests": 6, "errors": 5}, "5 of 6 requests failed against 0.0%"),
    ],
)
def test_a_version_that_does_worse_is_taken_out_at_once(rolling: Rolling, bad: dict[str, Any], why: str) -> None:
    started = rolling.start()
    rolling.turn()
    rolling.pass_(5)
    rolling.traffic("champion", 400)
    rolling.traffic("canary", **bad)
    rolling.turn()
    done = rolling.get(started)
    assert done.state == "ROLLED_BACK"
    assert done.verdict.startswith(why)
    assert (rolling.weights(), rolling.deployment("canary").state) == ({"champion": 100}, "STOPPED")
    assert rolling.deployment("champion").served_version == 1
    assert done.history[-1].actor == "policy:rollout"


def test_a_few_early_errors_are_no_reason_yet(rolling: Rolling) -> None:
    started = rolling.start()
    rolling.turn()
    rolling.traffic("champion", 400)
    rolling.traffic("canary", 12, errors=2)
    rolling.turn()
    assert rolling.get(started).state == "RUNNING"


def test_people_pause_resume_promote_and_roll_back(rolling: Rolling) -> None:
    started = rolling.start(steps=[10, 100])
    rolling.turn()
    assert rolling.lifecycle.pause_rollout(ANN, name(started)).state == "PAUSED"
    go_well(rolling)
    assert rolling.get(started).step == 0
    with pytest.raises(Conflict, match="is PAUSED"):
        rolling.lifecycle.pause_rollout(ANN, name(started))
    resumed = rolling.lifecycle.resume_rollout(ANN, name(started))
    assert (resumed.state, resumed.step_since) == ("RUNNING", rolling.clock.now())
    promoted = rolling.lifecycle.promote_rollout(ANN, name(started))
    assert (promoted.state, promoted.history[-1].actor) == ("PROMOTED", "Ann")
    rolling.turn()
    assert rolling.deployment("champion").served_version == 2
    second = rolling.start(model_version=3)
    assert rolling.lifecycle.roll_back_rollout(ANN, name(second)).state == "ROLLED_BACK"
    assert rolling.weights() == {"champion": 100}
    with pytest.raises(Conflict, match="is ROLLED_BACK"):
        rolling.lifecycle.promote_rollout(ANN, name(second))


def test_a_step_without_enough_requests_pauses_and_asks_for_somebody(rolling: Rolling) -> None:
    started = rolling.start(patience_s=100)
    rolling.turn()
    rolling.traffic("canary", 3)
    rolling.pass_(120)
    rolling.turn()
    paused = rolling.get(started)
    assert (paused.state, paused.verdict) == ("PAUSED", "3 of 20 requests of the canary seen within 120 s")
    (asked,) = attention(rolling.rooms.registry, ANN, "demo")
    assert (asked["kind"], asked["subject"]) == ("rollout", f"rollout:{started.id}")
    assert attention(rolling.rooms.registry, person("Eve", "serving.read"), "demo") == []


def test_traffic_that_somebody_changed_by_hand_pauses_the_rollout(rolling: Rolling) -> None:
    started = rolling.start()
    rolling.turn()
    rolling.rooms.get(Serving).set_traffic(ANN, SetTraffic(**PLACE, weights={"champion": 60, "canary": 40}))
    rolling.turn()
    paused = rolling.get(started)
    assert (paused.state, paused.weight) == ("PAUSED", 1)
    assert "has 40 % of the traffic by hand" in paused.verdict
    rolling.lifecycle.resume_rollout(ANN, name(started))
    assert rolling.weights() == {"champion": 99, "canary": 1}


def test_a_version_that_cannot_be_loaded_fails_its_rollout_and_main_answers_on(rolling: Rolling) -> None:
    started = rolling.start()
    rolling.turn()
    rolling.lifecycle.roll_back_rollout(ANN, name(started))
    second = rolling.start(model_version=3)
    shown = rolling.rooms.get(Serving)
    newest = shown.list_revisions(SYSTEM, ListRevisions(**PLACE, deployment="canary", limit=1)).items[0]
    rolling.broken.add(newest.id)
    rolling.turn()
    rolling.turn()
    failed = rolling.get(second)
    assert failed.state == "FAILED"
    assert "it is broken" in failed.verdict
    assert rolling.weights() == {"champion": 100}


def test_what_cannot_be_rolled_out_is_said(rolling: Rolling) -> None:
    with pytest.raises(Conflict, match="version 1 is what 'champion' runs"):
        rolling.start(model_version=1)
    with pytest.raises(Invalid, match="name what is brought out"):
        rolling.start(model_version=None)
    with pytest.raises(NotFound, match="no alias 'nobody'"):
        rolling.start(model_version=None, alias="nobody")
    with pytest.raises(Invalid, match="do not grow"):
        rolling.start(steps=[50, 10])
    with pytest.raises(NotFound):
        rolling.lifecycle.start_rollout(ANN, StartRollout(workspace="demo", endpoint="nowhere", model_version=2))
    first = rolling.start(key="once")
    assert rolling.start(key="once").id == first.id
    with pytest.raises(Conflict, match=r"rollout .* is open"):
        rolling.start(model_version=3)
    for missing in ("serving.edit", "lifecycle.use"):
        rights = {"serving.edit", "lifecycle.use", "lifecycle.read"} - {missing}
        with pytest.raises(Forbidden, match=missing.replace(".", r"\.")):
            rolling.lifecycle.start_rollout(person("Bob", *rights), StartRollout(**PLACE, model_version=2))
        with pytest.raises(Forbidden, match=missing.replace(".", r"\.")):
            rolling.lifecycle.pause_rollout(person("Bob", *rights), name(first))


def test_rollouts_are_listed_by_service_and_state(rolling: Rolling) -> None:
    first = rolling.start()
    rolling.lifecycle.roll_back_rollout(ANN, name(first))
    second = rolling.start(model_version=3)
    listed = rolling.lifecycle.list_rollouts(ANN, ListRollouts(workspace="demo", endpoint="churn", limit=1))
    assert ([one.id for one in listed.items], listed.next is not None) == ([second.id], True)
    back = rolling.lifecycle.list_rollouts(ANN, ListRollouts(workspace="demo", state="ROLLED_BACK"))
    assert [one.id for one in back.items] == [first.id]


@pytest.mark.parametrize("steps", [[], [0, 10], [10, 10], [50, 20], [10, 101]])
def test_steps_grow_from_1_to_100(steps: list[int]) -> None:
    with pytest.raises(Invalid, match="do not grow"):
        check_steps(steps)


def test_quality_that_is_clearly_lower_takes_a_version_out(rolling: Rolling) -> None:
    found = rolling.start()
    good = Traffic(requests=500, error_rate=0.0, p95_ms=4.0)
    scores = [Score(value=v, low=v - 0.02, high=v + 0.02, count=400) for v in (0.7, 0.85)]
    evidence = Evidence(canary=good, main=good, canary_score=scores[0], main_score=scores[1])
    assert judge(Look(evidence=evidence, lasted_s=1), found).decision == "roll back"
    swapped = Evidence(canary=good, main=good, canary_score=scores[1], main_score=scores[0])
    assert judge(Look(evidence=swapped, lasted_s=1), found).decision == "wait"
    assert judge(Look(evidence=swapped, lasted_s=61), found).decision == "promote"


class Killed(BaseException):
    """The process ends here."""


def killed_in(monkeypatch: pytest.MonkeyPatch, method: str, *, after: bool, deed: Callable[[], Any]) -> None:
    """Do something, and let the process end before or after one of its steps."""
    real = getattr(Lifecycle, method)

    def dying(*args: Any, **more: Any) -> None:
        if after:
            real(*args, **more)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Lifecycle, method, dying)
        with pytest.raises(Killed):
            deed()


def test_a_kill_before_the_version_is_deployed_is_made_good(rolling: Rolling, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_in(monkeypatch, "bring", after=False, deed=lambda: rolling.start(key="once"))
    started = rolling.start(key="once")
    assert started.state == "DEPLOYING"
    rolling.turn()
    rolling.turn()
    assert (rolling.get(started).state, rolling.weights()) == ("RUNNING", {"champion": 99, "canary": 1})


@pytest.mark.parametrize(("method", "after"), [("share", False), ("share", True)])
def test_a_kill_between_a_step_and_its_share_is_made_good(
    rolling: Rolling, monkeypatch: pytest.MonkeyPatch, method: str, after: bool
) -> None:
    started = rolling.start()
    rolling.turn()
    killed_in(monkeypatch, method, after=after, deed=lambda: go_well(rolling))
    rolling.turn()
    found = rolling.get(started)
    assert (found.state, found.step, rolling.weights()) == ("RUNNING", 1, {"champion": 95, "canary": 5})
    assert [line.what for line in found.history] == ["started", "stepped", "stepped"]


@pytest.mark.parametrize(("errors", "state", "served"), [(0, "PROMOTED", 2), (20, "ROLLED_BACK", 1)])
def test_a_kill_before_the_end_is_written_down_is_made_good(
    rolling: Rolling, monkeypatch: pytest.MonkeyPatch, errors: int, state: str, served: int
) -> None:
    started = rolling.start(steps=[10])
    rolling.turn()
    rolling.pass_(70)
    rolling.traffic("champion", 400)
    rolling.traffic("canary", 40, errors=errors)
    killed_in(monkeypatch, "settle", after=False, deed=rolling.turn)
    rolling.turn()
    rolling.turn()
    assert rolling.get(started).state == state
    assert (rolling.weights(), rolling.deployment("champion").served_version) == ({"champion": 100}, served)


def test_a_version_that_may_not_be_deployed_leaves_no_rollout_open(rolling: Rolling) -> None:
    with pytest.raises(NotFound):
        rolling.start(model_version=99)
    assert rolling.start(model_version=2).state == "DEPLOYING"
