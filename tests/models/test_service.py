from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from aimass.infra.blobs import Blobs
from aimass.infra.database import Database, audit_log, events_log, lineage_edges
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from aimass.kernel.principal import Principal
from aimass.models import (
    BrokenPackage,
    ChangeModel,
    CompareVersions,
    CreateModel,
    Decide,
    EditCard,
    Facts,
    ListAliases,
    ListModels,
    ListReviews,
    ListVersions,
    Models,
    ModelVersion,
    NotApproved,
    OneAlias,
    OneModel,
    OneVersion,
    OwnVersion,
    Package,
    Registration,
    Review,
    SetAlias,
    build_package,
    verify_package,
)
from aimass.models.jobs import attention, doctor
from aimass.models.search import document
from tests.fixtures.code import code_package
from tests.fixtures.rooms import Rooms, person

FACTS = Facts(
    recipe="lightgbm",
    recipe_version="1.0",
    params={"trees": 150},
    dataset="telco-churn",
    dataset_version=1,
    target="Churn",
    rows={"train": 4219, "test": 1056},
    seed=7,
    evaluation={
        "part": "test",
        "rows": 1056,
        "auc": {"value": 0.84, "low": 0.82, "high": 0.86, "level": 0.95, "method": "DeLong"},
    },
)


def registered(models: Models, who: Principal, digest: str, key: str = "run:1", **changes: Any) -> ModelVersion:
    wish = Registration(
        workspace="demo",
        model="churn",
        digest=digest,
        origin="run",
        source="01RUN",
        key=key,
        facts=FACTS,
        metrics={"roc_auc": 0.84},
    )
    return models.register(who, replace(wish, **changes))


def reviewed(rooms: Rooms, who: Principal, version: ModelVersion) -> Review:
    models = rooms.get(Models)
    name = OneVersion(workspace=version.workspace, model=version.model, number=version.number)
    models.submit_review(who, name)
    return rooms.until(lambda: (found := models.get_review(who, name)).checked_at and found)


def approved(rooms: Rooms, version: ModelVersion, author: Principal, reviewer: Principal) -> Review:
    reviewed(rooms, author, version)
    wish = Decide(workspace=version.workspace, model=version.model, number=version.number, comment="good")
    return rooms.get(Models).approve(reviewer, wish)


def test_a_registered_version_tells_what_it_is(models: Models, ann: Principal, digest: str) -> None:
    version = registered(models, ann, digest)
    assert (version.model, version.number, version.state, version.review) == ("churn", 1, "READY", None)
    assert version.signature.classes == ("No", "Yes")
    assert models.get_model(ann, OneModel(workspace="demo", model="churn")).latest == 1


def test_registering_with_the_same_key_is_one_version(models: Models, ann: Principal, digest: str) -> None:
    first, again = registered(models, ann, digest), registered(models, ann, digest)
    assert first == again
    assert registered(models, ann, digest, key="run:2").number == 2


def test_a_key_for_another_package_is_refused(
    models: Models, ann: Principal, digest: str, trained: Any, tmp_path: Path
) -> None:
    registered(models, ann, digest)
    other, _ = build_package(tmp_path / "other", replace(trained[0], to_onnx=None, why_not_onnx="a reason"), trained[1])
    with pytest.raises(Conflict, match="belongs to version 1"):
        registered(models, ann, models.keep_package(other.folder).digest)


def test_registering_writes_event_audit_and_lineage_in_one_change(
    rooms: Rooms, models: Models, ann: Principal, digest: str
) -> None:
    registered(models, ann, digest)
    with rooms.get(Database).read() as conn:
        events = conn.execute(select(events_log.c.type, events_log.c.subject)).all()
        audits = conn.execute(select(audit_log.c.action).where(audit_log.c.object == "model_version:churn/1")).scalars()
        edges = conn.execute(select(lineage_edges.c.src_id, lineage_edges.c.dst_id)).all()
        assert ("models.version.registered", "model_version:churn/1") in events
        assert list(audits) == ["models.version.register"]
        assert edges == [("01RUN", "churn/1")]


def test_the_package_is_laid_out_from_the_blobs(models: Models, ann: Principal, digest: str, package: Package) -> None:
    version = registered(models, ann, digest)
    folder = models.materialise(version)
    assert folder.name == digest
    assert verify_package(folder).manifest == package.manifest


def test_the_doctor_names_a_file_of_a_package_that_is_gone(
    rooms: Rooms, models: Models, ann: Principal, digest: str, package: Package
) -> None:
    registered(models, ann, digest)
    assert [found.detail for found in doctor(rooms.registry)] == ["1 packages are whole"]
    rooms.get(Blobs).remove(package.manifest.files["model.onnx"].sha256)
    assert [found.detail for found in doctor(rooms.registry)] == [f"model.onnx of package {digest[:12]} is missing"]
    rooms.get(Blobs).remove(digest)
    assert [found.is_good for found in doctor(rooms.registry)] == [False]


def test_a_broken_package_is_not_kept(models: Models, package: Package) -> None:
    (package.folder / "model.onnx").write_bytes(b"x")
    with pytest.raises(BrokenPackage):
        models.keep_package(package.folder)


def test_a_review_runs_as_jobs_and_waits_for_a_person(
    rooms: Rooms, models: Models, ann: Principal, digest: str
) -> None:
    review = reviewed(rooms, ann, registered(models, ann, digest))
    assert review.state == "QUARANTINED"
    assert {check.name: check.passed for check in review.checks} == {
        "manifest": True,
        "format": True,
        "smoke": True,
        "parity": True,
    }
    assert all(check.evidence for check in review.checks)


def test_a_review_that_is_open_is_not_begun_again(models: Models, ann: Principal, digest: str) -> None:
    registered(models, ann, digest)
    name = OneVersion(workspace="demo", model="churn", number=1)
    assert models.submit_review(ann, name) == models.submit_review(ann, name)


def test_the_author_does_not_approve_his_own_version(
    rooms: Rooms, models: Models, ann: Principal, bob: Principal, eve: Principal, digest: str
) -> None:
    reviewed(rooms, ann, registered(models, ann, digest))
    wish = Decide(workspace="demo", model="churn", number=1)
    with pytest.raises(OwnVersion):
        models.approve(ann, wish)
    with pytest.raises(Forbidden):
        models.approve(eve, wish)
    assert models.approve(bob, wish).decided_by == "Bob"
    assert models.get_version(eve, OneVersion(workspace="demo", model="churn", number=1)).review == "APPROVED"


def test_the_policy_approves_by_itself_where_the_workspace_says_so(rooms: Rooms, models: Models, digest: str) -> None:
    amy = person("Amy", "models.read", "models.edit", workspace="auto")
    version = registered(models, amy, digest, workspace="auto")
    review = reviewed(rooms, amy, version)
    assert (review.state, review.decided_by) == ("APPROVED", "policy:auto")
    with rooms.get(Database).read() as conn:
        query = select(audit_log.c.actor_id).where(audit_log.c.action == "models.version.approve")
        assert conn.execute(query).scalars().all() == ["policy:auto"]


def test_a_check_that_fails_keeps_a_version_in_quarantine_even_from_the_policy(
    rooms: Rooms, models: Models, tmp_path: Path
) -> None:
    amy = person("Amy", "models.read", "models.edit", "models.approve", workspace="auto")
    kept = models.keep_package(code_package(tmp_path / "own", entry="doubling.model:Missing").folder).digest
    version = registered(models, amy, kept, workspace="auto", origin="upload")
    review = reviewed(rooms, amy, version)
    assert review.state == "QUARANTINED"
    assert [check.name for check in review.checks if not check.passed] == ["format", "smoke", "parity"]
    with pytest.raises(Conflict, match="'format' has not passed"):
        models.approve(
            person("Bob", "models.approve", workspace="auto"), Decide(workspace="auto", model="churn", number=1)
        )


def test_a_strangers_package_that_runs_code_waits_for_a_person_even_where_the_policy_approves(
    rooms: Rooms, models: Models, trained: Any, tmp_path: Path
) -> None:
    amy = person("Amy", "models.read", "models.edit", workspace="auto")
    package, _ = build_package(tmp_path / "own", replace(trained[0], to_onnx=None, why_not_onnx="a reason"), trained[1])
    kept = models.keep_package(package.folder).digest
    review = reviewed(rooms, amy, registered(models, amy, kept, workspace="auto", origin="upload"))
    assert (review.state, review.has_passed) == ("QUARANTINED", True)
    bob = person("Bob", "models.read", "models.approve", workspace="auto")
    assert models.approve(bob, Decide(workspace="auto", model="churn", number=1)).decided_by == "Bob"


def test_a_rejected_version_can_be_reviewed_again(
    rooms: Rooms, models: Models, ann: Principal, bob: Principal, digest: str
) -> None:
    version = registered(models, ann, digest)
    reviewed(rooms, ann, version)
    wish = Decide(workspace="demo", model="churn", number=1, comment="explain the data first")
    assert models.reject(bob, wish).comment == "explain the data first"
    with pytest.raises(Conflict, match="was rejected"):
        models.approve(bob, wish)
    assert reviewed(rooms, ann, version).state == "QUARANTINED"


def test_an_alias_takes_approved_versions_only_and_remembers_the_one_before(
    rooms: Rooms, models: Models, ann: Principal, bob: Principal, digest: str
) -> None:
    first, second = registered(models, ann, digest), registered(models, ann, digest, key="run:2")
    with pytest.raises(NotApproved):
        models.set_alias(ann, SetAlias(workspace="demo", model="churn", alias="champion", number=1))
    for version in (first, second):
        approved(rooms, version, ann, bob)
        models.set_alias(ann, SetAlias(workspace="demo", model="churn", alias="champion", number=version.number))
    alias = models.get_alias(ann, OneAlias(workspace="demo", model="churn", alias="champion"))
    assert (alias.number, alias.previous, alias.version) == (2, 1, 2)
    assert models.aliased("demo", "churn", "champion") == models.version("demo", "churn", 2)
    assert models.version("demo", "churn", 2).aliases == ("champion",)


def test_what_is_served_is_approved_and_found_by_alias_or_number(
    rooms: Rooms, models: Models, ann: Principal, bob: Principal, digest: str
) -> None:
    version = registered(models, ann, digest)
    with pytest.raises(NotApproved, match="not approved"):
        models.servable("demo", "churn", 1)
    approved(rooms, version, ann, bob)
    models.set_alias(ann, SetAlias(workspace="demo", model="churn", alias="champion", number=1))
    assert models.servable("demo", "churn", "champion") == models.servable("demo", "churn", "1")
    with pytest.raises(NotFound, match="no alias 'rival'"):
        models.servable("demo", "churn", "rival")


def test_the_card_is_filled_from_facts_and_people_have_the_last_word(
    models: Models, ann: Principal, digest: str
) -> None:
    registered(models, ann, digest)
    name = OneVersion(workspace="demo", model="churn", number=1)
    card = models.get_card(ann, name)
    text = "\n".join(section.text for section in card.sections)
    for fact in ("telco-churn", "lightgbm", "trees | 150", "0.8400", "0.8200 to 0.8600", "01RUN", digest):
        assert fact in text
    edit = EditCard(workspace="demo", model="churn", number=1, section="limits", text="Not for **business** customers.")
    edited = models.edit_card(ann, edit)
    section = next(section for section in edited.sections if section.name == "limits")
    assert (section.origin, section.edited_by) == ("person", "Ann")
    back = models.edit_card(ann, replace(edit, text=""))
    assert next(section for section in back.sections if section.name == "limits").origin == "facts"


def test_a_card_that_changed_meanwhile_is_not_overwritten(models: Models, ann: Principal, digest: str) -> None:
    registered(models, ann, digest)
    edit = EditCard(workspace="demo", model="churn", number=1, section="intended_use", text="a", expected_version=1)
    models.edit_card(ann, edit)
    with pytest.raises(Stale):
        models.edit_card(ann, edit)
    with pytest.raises(Invalid, match="section"):
        models.edit_card(ann, replace(edit, section="No Such", expected_version=None))


def test_versions_are_compared_by_metrics_and_by_what_differs(models: Models, ann: Principal, digest: str) -> None:
    registered(models, ann, digest)
    more = {"facts": replace(FACTS, params={"trees": 300}), "metrics": {"roc_auc": 0.85}}
    registered(models, ann, digest, key="run:2", **more)
    found = models.compare_versions(ann, CompareVersions(workspace="demo", model="churn", first=1, second=2))
    assert found.metrics == {"roc_auc": (0.84, 0.85)}
    assert [(item.what, item.first, item.second) for item in found.differences] == [("params.trees", 150, 300)]


def test_what_an_alias_points_to_is_not_deleted(
    rooms: Rooms, models: Models, ann: Principal, bob: Principal, digest: str
) -> None:
    approved(rooms, registered(models, ann, digest), ann, bob)
    alias = OneAlias(workspace="demo", model="churn", alias="champion")
    models.set_alias(ann, SetAlias(workspace="demo", model="churn", alias="champion", number=1))
    with pytest.raises(Conflict, match="alias"):
        models.delete_version(ann, OneVersion(workspace="demo", model="churn", number=1))
    with pytest.raises(Conflict, match="alias"):
        models.delete_model(ann, OneModel(workspace="demo", model="churn"))
    models.remove_alias(ann, alias)
    assert models.list_aliases(ann, ListAliases(workspace="demo", model="churn")) == []
    models.delete_version(ann, OneVersion(workspace="demo", model="churn", number=1))
    with pytest.raises(NotFound, match="no version 1"):
        models.get_version(ann, OneVersion(workspace="demo", model="churn", number=1))


def test_a_number_is_never_used_again_and_a_deleted_name_is_free(models: Models, ann: Principal, digest: str) -> None:
    registered(models, ann, digest)
    models.delete_version(ann, OneVersion(workspace="demo", model="churn", number=1))
    assert registered(models, ann, digest).number == 2
    models.delete_model(ann, OneModel(workspace="demo", model="churn"))
    assert models.list_models(ann, ListModels(workspace="demo")).items == []
    assert registered(models, ann, digest).number == 1


def test_models_are_created_changed_and_listed_by_page(models: Models, ann: Principal) -> None:
    for name in ("流失 😀", "Churn", "Fraud"):
        models.create_model(ann, CreateModel(workspace="demo", name=name))
    with pytest.raises(Conflict, match="taken"):
        models.create_model(ann, CreateModel(workspace="demo", name="churn"))
    page = models.list_models(ann, ListModels(workspace="demo", limit=2))
    rest = models.list_models(ann, ListModels(workspace="demo", limit=2, cursor=page.next))
    assert len(page.items) == 2
    assert [model.name for model in rest.items] == ["流失 😀"]
    changed = models.change_model(
        ann, ChangeModel(workspace="demo", model="fraud", description="cards", expected_version=1)
    )
    assert (changed.description, changed.version) == ("cards", 2)


def test_versions_and_reviews_are_listed_by_state(rooms: Rooms, models: Models, ann: Principal, digest: str) -> None:
    reviewed(rooms, ann, registered(models, ann, digest))
    registered(models, ann, digest, key="run:2")
    waiting = models.list_versions(ann, ListVersions(workspace="demo", model="churn", review="QUARANTINED"))
    assert [version.number for version in waiting.items] == [1]
    assert [review.number for review in models.list_reviews(ann, ListReviews(workspace="demo")).items] == [1]


def test_what_waits_for_a_decision_is_told_to_who_may_decide(
    rooms: Rooms, models: Models, ann: Principal, bob: Principal, eve: Principal, digest: str
) -> None:
    reviewed(rooms, ann, registered(models, ann, digest))
    assert [item["title"] for item in attention(rooms.registry, bob, "demo")] == ["churn version 1 waits for approval"]
    assert attention(rooms.registry, ann, "demo") == []
    assert attention(rooms.registry, eve, "demo") == []


def test_a_name_that_no_address_can_carry_is_refused(models: Models, ann: Principal, digest: str) -> None:
    with pytest.raises(Invalid) as caught:
        registered(models, ann, digest, model="A b")
    assert (caught.value.field, caught.value.hint) == ("model", "use 'a-b'")


def test_models_and_versions_are_found_until_they_are_deleted(
    rooms: Rooms, models: Models, ann: Principal, digest: str
) -> None:
    registered(models, ann, digest)
    found = document(rooms.registry, "demo", "model_version:churn/1")
    assert found is not None
    assert (found.title, "lightgbm" in found.text) == ("churn version 1", True)
    assert document(rooms.registry, "demo", "model:churn") is not None
    models.delete_model(ann, OneModel(workspace="demo", model="churn"))
    assert document(rooms.registry, "demo", "model:churn") is None
