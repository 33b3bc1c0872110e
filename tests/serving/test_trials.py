"""People try an endpoint: the row goes through the gateway like that of any program, with a key that soon ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from aimass.access import Access
from aimass.access.domain.keys import ListKeys
from aimass.access.domain.members import GiveRole
from aimass.access.domain.people import InviteUser, UseLink
from aimass.kernel.errors import Forbidden, Invalid
from aimass.kernel.principal import ANONYMOUS, SYSTEM, Principal
from aimass.serving.domain.trials import ExplainRow, GetSignature, TryEndpoint
from aimass.serving.errors import NotServing
from aimass.serving.trying import Tryouts
from tests.fixtures.stage import ANN, Stage

CHURN: dict[str, Any] = {"workspace": "demo", "endpoint": "churn"}
ROW = {"c0": "plus", "c1": 40.0}


@contextmanager
def turning(stage: Stage) -> Iterator[None]:
    """Let the loops of control run beside, as they do in a platform."""
    over = threading.Event()

    def turn() -> None:
        while not over.wait(0.02):
            stage.turn()

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def bob(live: Stage) -> Principal:
    """An analyst with an account of his own, and a console that reaches the gateway."""
    access = live.rooms.get(Access)
    live.rooms.get(Tryouts).url = lambda: f"http://127.0.0.1:{live.gateway.port}"
    link = access.invite_user(SYSTEM, InviteUser(name="bob"))
    person = access.accept_invitation(ANONYMOUS, UseLink(token=link.token, password="four small brown bears"))
    access.give_role(SYSTEM, GiveRole(workspace="demo", role="analyst", user="bob"))
    return access.principal(person.id)


def test_a_row_that_is_tried_is_answered_and_recorded_under_the_name_of_the_person(live: Stage, bob: Principal) -> None:
    with turning(live):
        said = live.serving.try_endpoint(bob, TryEndpoint(**CHURN, row=ROW))
    assert said.label in ("No", "Yes")
    assert sum(said.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert (said.deployment, said.number, said.model, said.model_version) == ("champion", 1, "churn", 1)
    assert live.gateway.wait_for_record(said.request_id)["consumer"] == "bob"


def test_what_each_input_of_a_row_contributed_adds_up(live: Stage, bob: Principal) -> None:
    with turning(live):
        said = live.serving.explain_row(bob, ExplainRow(**CHURN, row=ROW))
        other = live.serving.explain_row(bob, ExplainRow(**CHURN, row=ROW, target="No"))
    assert set(said.shares) == {"c0", "c1"}
    assert sum(said.shares.values()) == pytest.approx(said.value - said.base, abs=1e-5)
    assert [abs(share) for share in said.shares.values()] == sorted(map(abs, said.shares.values()), reverse=True)
    assert (said.target, said.classes, said.number, said.model) == ("Yes", ["No", "Yes"], 1, "churn")
    assert other.value == pytest.approx(1 - said.value, abs=1e-5)
    with turning(live), pytest.raises(Invalid) as refused:
        live.serving.explain_row(bob, ExplainRow(**CHURN, row=ROW, target="Maybe"))
    assert refused.value.allowed == ["No", "Yes"]


def test_who_may_not_use_an_endpoint_cannot_ask_why(live: Stage) -> None:
    with pytest.raises(Forbidden):
        live.serving.explain_row(ANN, ExplainRow(**CHURN, row=ROW))


def test_the_key_may_only_call_and_is_revoked_when_its_time_is_over(live: Stage, bob: Principal) -> None:
    access, tryouts = live.rooms.get(Access), live.rooms.get(Tryouts)
    with turning(live):
        for _ in range(2):
            live.serving.try_endpoint(bob, TryEndpoint(**CHURN, row=ROW))
    (key,) = access.list_keys(bob, ListKeys(workspace="demo")).items
    assert (key.scopes, key.owner, key.revoked_at) == (["serving.read", "serving.use"], "bob", None)
    tryouts.monotonic = lambda: 1e12
    assert tryouts.tidy() == 1
    assert access.list_keys(bob, ListKeys(workspace="demo")).items[0].revoked_at is not None


def test_what_the_gateway_refuses_names_the_input(live: Stage, bob: Principal) -> None:
    with turning(live), pytest.raises(Invalid) as refused:
        live.serving.try_endpoint(bob, TryEndpoint(**CHURN, row={"c0": "plus", "c1": "dear"}))
    assert refused.value.field == "c1"


def test_who_may_not_use_an_endpoint_cannot_try_it(live: Stage) -> None:
    with pytest.raises(Forbidden):
        live.serving.try_endpoint(ANN, TryEndpoint(**CHURN, row=ROW))


def test_the_signature_shows_what_an_endpoint_takes(live: Stage) -> None:
    shown = live.serving.get_signature(ANN, GetSignature(**CHURN, sample=3))
    plan, charge = shown.inputs
    assert (plan.name, plan.categories, charge.type, shown.classes) == ("c0", ["basic", "plus"], "float", ["No", "Yes"])
    assert plan.example in ("basic", "plus")
    assert shown.samples > 3
    assert shown.explains


def test_an_endpoint_without_a_deployment_has_no_signature_yet(stage: Stage) -> None:
    with pytest.raises(NotServing):
        stage.serving.get_signature(ANN, GetSignature(**CHURN))
