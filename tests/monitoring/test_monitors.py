from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sqlalchemy import insert, select

from aimass.infra.database import metadata
from aimass.infra.events import EventLog
from aimass.kernel.erasing import Person
from aimass.kernel.errors import Forbidden, Invalid, NotFound, Stale, Unavailable
from aimass.kernel.events import Event
from aimass.kernel.principal import SYSTEM, Grant, Principal
from aimass.kernel.registry import Registry
from aimass.models import build_package
from aimass.monitoring import jobs
from aimass.monitoring.domain.alerts import CreateRule, ListAlerts
from aimass.monitoring.domain.monitors import (
    ChangeMonitor,
    EvaluateNow,
    GetDrift,
    GetQuality,
    ListMonitors,
    Monitor,
    SetReference,
    UseReference,
)
from aimass.monitoring.domain.records import GetCoverage, Label, LabelledRecords, ListRecords, SendFeedback
from aimass.monitoring.service.ground import Ground
from aimass.monitoring.service.monitoring import Monitoring
from aimass.monitoring.store.tables import drifts, series_names
from tests.fixtures.packages import candidate, number_candidate
from tests.monitoring.samples import make_record

CHURN = {"workspace": "demo", "endpoint": "churn"}
EVALUATE = EvaluateNow(**CHURN)


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package") / "churn"
    made, _ = build_package(folder, *candidate(0))
    return made.folder


@pytest.fixture(scope="session")
def training_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(1)
    frame = pl.DataFrame(
        {
            "c0": rng.choice(["basic", "plus"], 2000),
            "c1": rng.normal(50, 10, 2000),
            "churn": rng.choice(["No", "Yes"], 2000),
        }
    )
    path = tmp_path_factory.mktemp("data") / "train.parquet"
    frame.write_parquet(path)
    return path


@pytest.fixture
def registry(service: Monitoring) -> Registry:
    registry = Registry()
    registry.put(Monitoring, service)
    return registry


@pytest.fixture
def happen(registry: Registry, clock: Any) -> Callable[..., None]:
    """Let serving tell something."""

    def tell(type_: str, **data: Any) -> None:
        data = {
            "endpoint": "churn",
            "deployment": "champion",
            "revision": "rev-1",
            "model": "churn",
            "version": 1,
            **data,
        }
        handler = {
            "serving.revision.created": jobs.on_revision,
            "serving.endpoint.created": jobs.on_endpoint,
            "serving.deployment.removed": jobs.on_deployment_removed,
            "serving.endpoint.deleted": jobs.on_endpoint_deleted,
        }[type_]
        handler(
            registry,
            Event(
                id="e",
                seq=1,
                type=type_,
                subject="endpoint:churn",
                workspace="demo",
                actor="system",
                time=clock.now(),
                data=data,
            ),
        )

    return tell


@pytest.fixture
def use(training_data: Path, package: Path) -> UseReference:
    return UseReference(
        **CHURN,
        model="churn",
        model_version="1",
        path=str(training_data),
        package=str(package),
        target="churn",
        baseline={"auc": 0.95},
        classes=["No", "Yes"],
        positive="Yes",
    )


@pytest.fixture
def send(service: Monitoring, write_segment: Any) -> Callable[..., list[dict[str, Any]]]:
    """Send traffic: the answers say Yes for a high charge, as the scores do."""
    counter = iter(range(10_000))

    def traffic(
        count: int, *, mean: float = 50.0, plans: tuple[str, ...] = ("basic", "plus"), **fields: Any
    ) -> list[dict[str, Any]]:
        rng = np.random.default_rng(count)
        records = []
        for _ in range(count):
            charge = float(rng.normal(mean, 10))
            score = float(1 / (1 + np.exp((50 - charge) / 10)))
            inputs = {"c0": [str(rng.choice(plans))], "c1": [charge]}
            outputs = {"label": ["Yes" if score > 0.5 else "No"], "probabilities": [[1 - score, score]]}
            records.append(make_record(next(counter), inputs=inputs, outputs=outputs, **fields))
        write_segment(records)
        service.collect()
        return records

    return traffic


def the_monitor(service: Monitoring) -> Monitor:
    return service.list_monitors(SYSTEM, ListMonitors(workspace="demo")).items[0]


def open_alerts(service: Monitoring) -> list[str]:
    return [alert.metric for alert in service.list_alerts(SYSTEM, ListAlerts(workspace="demo", open=True)).items]


def test_a_new_deployment_is_watched_with_the_reference_of_its_version(
    service: Monitoring, happen: Any, use: UseReference
) -> None:
    assert service.use_reference(SYSTEM, use) == []
    happen("serving.revision.created")
    service.look()
    monitor = the_monitor(service)
    assert (monitor.reference.state, monitor.reference.rows, monitor.baseline) == ("READY", 2000, {"auc": 0.95})
    assert monitor.reference.features == [{"name": "c0", "kind": "categorical"}, {"name": "c1", "kind": "numeric"}]


def test_traffic_like_the_training_data_is_no_drift_and_a_shifted_one_is(
    service: Monitoring, ground: Ground, happen: Any, send: Any, use: UseReference
) -> None:
    happen("serving.revision.created")
    service.use_reference(SYSTEM, use)
    send(500)
    service.look()
    calm = service.get_drift(SYSTEM, GetDrift(**CHURN))
    assert (calm.rows, calm.reference_rows) == (500, 2000)
    assert calm.max_psi < 0.1
    assert open_alerts(service) == []
    send(500, mean=75, plans=("basic", "new"))
    found = service.evaluate_now(SYSTEM, EVALUATE)
    drift = {feature.name: feature for feature in found.drift[0].features}
    assert drift["c1"].psi > 1
    assert drift["c1"].p_value is not None
    assert drift["c1"].p_value < 1e-9
    assert drift["c0"].unseen > 0.3
    assert found.drift[0].prediction is not None
    assert open_alerts(service) == ["drift.max_psi"]
    computed = EventLog(ground.database).read(type_="monitoring.drift.computed")[-1]
    assert (computed.subject, sorted(computed.data["drifted"])) == ("endpoint:churn", ["c0", "c1"])
    assert len(service.get_drift(SYSTEM, GetDrift(**CHURN)).history) == 2


def test_predictions_are_compared_with_the_answers_to_the_reference(
    service: Monitoring, happen: Any, send: Any, use: UseReference
) -> None:
    happen("serving.revision.created")
    service.use_reference(SYSTEM, use)
    send(300, mean=90)
    found = service.evaluate_now(SYSTEM, EVALUATE).drift[0].prediction
    assert found is not None
    assert (found.name, found.test, found.psi > 0.2) == ("score", "ks", True)


def test_an_alert_ends_when_another_revision_serves(
    service: Monitoring, happen: Any, send: Any, use: UseReference
) -> None:
    happen("serving.revision.created")
    service.use_reference(SYSTEM, use)
    send(300, mean=90)
    assert len(service.evaluate_now(SYSTEM, EVALUATE).alerts) == 1
    happen("serving.revision.created", revision="rev-2", version=2)
    service.look()
    (alert,) = service.list_alerts(SYSTEM, ListAlerts(workspace="demo")).items
    assert (alert.state, alert.note) == ("RESOLVED", "the deployment has another revision now, or is gone")
    assert the_monitor(service).reference.state == "NONE"


def test_few_rows_are_not_judged_by_themselves_and_many_are(
    service: Monitoring, happen: Any, send: Any, use: UseReference, clock: Any
) -> None:
    happen("serving.revision.created")
    service.use_reference(SYSTEM, use)
    send(150, mean=90)
    service.look()
    with pytest.raises(NotFound, match="no drift of 'churn' yet"):
        service.get_drift(SYSTEM, GetDrift(**CHURN))
    send(60, mean=90)
    service.look()
    assert service.get_drift(SYSTEM, GetDrift(**CHURN)).rows == 210
    send(60)
    service.look()
    assert service.get_drift(SYSTEM, GetDrift(**CHURN)).rows == 210
    clock.forward(61)
    service.look()
    assert service.get_drift(SYSTEM, GetDrift(**CHURN)).rows == 270


def test_quality_is_measured_where_the_truth_came_back_and_its_drop_fires(
    service: Monitoring, happen: Any, send: Any, use: UseReference
) -> None:
    happen("serving.revision.created")
    service.use_reference(SYSTEM, use)
    records = send(400)
    rng = np.random.default_rng(3)
    labels = [Label(request_id=r["id"], label=str(rng.choice(["No", "Yes"]))) for r in records[:300]]
    service.send_feedback(SYSTEM, SendFeedback(**CHURN, labels=labels))
    service.look()
    found = service.get_quality(SYSTEM, GetQuality(**CHURN))
    auc = found.metrics["auc"]
    assert (found.rows, found.classes, found.positive, found.baseline) == (300, ["No", "Yes"], "Yes", {"auc": 0.95})
    assert 0.3 < auc.low < auc.value < auc.high < 0.7
    assert set(found.metrics) == {"accuracy", "f1", "brier", "auc"}
    assert "quality.auc_drop" in open_alerts(service)


@pytest.fixture(scope="module")
def price_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that answers a number: three times the charge, and 20 more for the plan plus."""
    folder = tmp_path_factory.mktemp("numbers")
    made, rows = number_candidate()
    build_package(folder / "package", made, rows)
    return folder / "package"


def test_numbers_are_watched_by_their_drift_and_their_error(
    service: Monitoring, happen: Any, use: UseReference, price_package: Path, write_segment: Any
) -> None:
    happen("serving.revision.created")
    baseline = {"rmse": 1.0, "mae": 0.8, "r2": 1.0}
    service.create_rule(SYSTEM, CreateRule(**CHURN, metric="quality.r2_drop", threshold=0.001, min_count=100))
    numbers = {"package": str(price_package), "classes": None, "positive": None, "baseline": baseline}
    service.use_reference(SYSTEM, UseReference(**{**asdict_shallow(use), **numbers}))
    rng = np.random.default_rng(8)
    charges = rng.normal(50, 10, 300)
    records = [
        make_record(n, inputs={"c0": ["basic"], "c1": [charge]}, outputs={"value": [3 * charge]})
        for n, charge in enumerate(charges)
    ]
    write_segment(records)
    service.collect()
    off = rng.normal(0, 2, 300)
    labels = [
        Label(request_id=r["id"], label=3 * charge - by) for r, charge, by in zip(records, charges, off, strict=True)
    ]
    service.send_feedback(SYSTEM, SendFeedback(**CHURN, labels=labels))
    service.look()
    drift, quality = service.get_drift(SYSTEM, GetDrift(**CHURN)), service.get_quality(SYSTEM, GetQuality(**CHURN))
    assert drift.prediction is not None
    assert (drift.prediction.name, drift.prediction.kind) == ("value", "numeric")
    assert (quality.rows, quality.classes, quality.labels, quality.confusion) == (300, [], {}, [])
    rmse, mae = quality.metrics["rmse"], quality.metrics["mae"]
    assert rmse.value == pytest.approx(float(np.sqrt(np.mean(off**2))))
    assert mae.value == pytest.approx(float(np.abs(off).mean()))
    assert rmse.low < rmse.value < rmse.high
    assert "quality.rmse_rise" in open_alerts(service)
    alert = next(a for a in service.list_alerts(SYSTEM, ListAlerts(**CHURN)).items if a.metric == "quality.rmse_rise")
    assert "RMSE is" in alert.summary
    assert "quality.r2_drop" in open_alerts(service)
    fed_back = service.labelled_records(SYSTEM, LabelledRecords(**CHURN, target="price"))
    assert (fed_back.rows, fed_back.labels) == (300, {})
    assert pl.read_parquet(fed_back.path)["price"].dtype == pl.Float64


def test_forecasts_and_summaries_are_measured_as_on_the_test_rows(
    service: Monitoring, happen: Any, use: UseReference, write_segment: Any
) -> None:
    happen("serving.revision.created")
    rng = np.random.default_rng(3)
    said, came = rng.normal(20, 5, (200, 4)), rng.normal(20, 5, (200, 4))
    came[::3, 2] = np.nan
    baseline = {"mae": 1.0, "mase": 0.5, "rmse": 1.2, "rouge_l": 0.9}
    service.use_reference(SYSTEM, UseReference(**{**asdict_shallow(use), "baseline": baseline}))
    for metric in ("quality.mase_rise", "quality.rouge_l_drop"):
        service.create_rule(SYSTEM, CreateRule(**CHURN, metric=metric, threshold=0.1, min_count=100))
    sides = ("forecast", "low", "high")
    answers: list[dict[str, Any]] = [{side: [json.dumps(one.tolist())] for side in sides} for one in said]
    labels: list[Any] = [[None if np.isnan(value) else float(value) for value in one] for one in came]
    _answered(service, write_segment, answers, labels)
    quality = service.get_quality(SYSTEM, GetQuality(**CHURN))
    off = np.abs(said - came)
    assert quality.metrics["mae"].value == pytest.approx(float(np.nanmean(off)))
    assert quality.metrics["rmse"].value == pytest.approx(float(np.sqrt(np.nanmean(off**2))))
    assert quality.metrics["mase"].value == pytest.approx(float(np.nanmean(off)) / 2), "an error of 2 counts as 1"
    assert quality.metrics["mase"].low < quality.metrics["mase"].value < quality.metrics["mase"].high
    assert (quality.metrics["mae"].count, quality.baseline["mase"]) == (200, 0.5)
    assert "quality.mase_rise" in open_alerts(service)
    written = ["The train was late.", "Nothing happened today, people say."] * 150
    _answered(service, write_segment, [{"summary": ["The train came late"]}] * 300, written, first=1000)
    found = service.get_quality(SYSTEM, GetQuality(**CHURN)).metrics
    assert {name: round(found[name].value, 6) for name in found} == {
        "rouge_l": 0.375,
        "rouge_1": 0.375,
        "rouge_2": 0.166667,
    }
    assert "quality.rouge_l_drop" in open_alerts(service)


def _answered(
    service: Monitoring, write_segment: Any, answers: list[dict[str, Any]], labels: list[Any], first: int = 0
) -> None:
    """Record answers, and what became true of each."""
    records = [make_record(first + n, outputs=one) for n, one in enumerate(answers)]
    write_segment(records)
    service.collect()
    told = [Label(request_id=r["id"], label=label) for r, label in zip(records, labels, strict=True)]
    service.send_feedback(SYSTEM, SendFeedback(**CHURN, labels=told))
    service.look()
    service.evaluate_now(SYSTEM, EvaluateNow(**CHURN, rows=len(told)))


def test_what_a_policy_earns_is_measured_action_by_action(
    service: Monitoring, happen: Any, use: UseReference, write_segment: Any
) -> None:
    happen("serving.revision.created")
    service.use_reference(SYSTEM, use)
    rng = np.random.default_rng(4)
    taken = rng.choice(["call", "mail"], 300)
    rewards = np.where(taken == "call", rng.normal(2, 1, 300), rng.normal(-1, 1, 300))
    rest = {"propensity": [0.5], "probabilities": [[0.5, 0.5]], "rewards": [[2.0, -1.0]]}
    records = [make_record(n, outputs={"action": [str(action)], **rest}) for n, action in enumerate(taken)]
    write_segment(records)
    service.collect()
    labels = [Label(request_id=r["id"], label=float(won)) for r, won in zip(records, rewards, strict=True)]
    service.send_feedback(SYSTEM, SendFeedback(**CHURN, labels=labels))
    service.look()
    quality = service.get_quality(SYSTEM, GetQuality(**CHURN))
    assert quality.metrics["reward"].value == pytest.approx(float(rewards.mean()))
    assert list(quality.rewards) == ["call", "mail"]
    for action, found in quality.rewards.items():
        own = rewards[taken == action]
        assert (found.value, found.count) == (pytest.approx(float(own.mean())), len(own))
        assert found.high - found.value == pytest.approx(1.96 * own.std(ddof=1) / len(own) ** 0.5, rel=1e-3)


def test_late_feedback_is_measured_when_it_comes(
    service: Monitoring, happen: Any, send: Any, use: UseReference
) -> None:
    happen("serving.revision.created")
    service.use_reference(SYSTEM, use)
    records = send(50)
    service.look()
    with pytest.raises(NotFound, match="no quality"):
        service.get_quality(SYSTEM, GetQuality(**CHURN))
    truth = [Label(request_id=r["id"], label=r["outputs"]["label"][0]) for r in records]
    service.send_feedback(SYSTEM, SendFeedback(**CHURN, labels=truth))
    service.look()
    assert service.get_quality(SYSTEM, GetQuality(**CHURN)).metrics["accuracy"].value == 1.0


def test_a_canary_is_judged_on_its_own_records(service: Monitoring, happen: Any, send: Any, use: UseReference) -> None:
    happen("serving.revision.created")
    happen("serving.revision.created", deployment="canary", revision="rev-2", version=2)
    service.use_reference(SYSTEM, use)
    service.use_reference(SYSTEM, UseReference(**{**asdict_shallow(use), "model_version": "2"}))
    send(250)
    records = send(220, mean=90, deployment="canary", revision="rev-2", version="2")
    service.send_feedback(
        SYSTEM, SendFeedback(**CHURN, labels=[Label(request_id=r["id"], label="Yes") for r in records])
    )
    found = service.evaluate_now(SYSTEM, EVALUATE)
    assert {d.deployment: d.max_psi > 0.2 for d in found.drift} == {"champion": False, "canary": True}
    assert [q.deployment for q in found.quality] == ["canary"]
    assert not any("still lands" in note for note in found.notes)
    early = [Label(request_id="not-here-yet", label="Yes")]
    service.send_feedback(SYSTEM, SendFeedback(**CHURN, labels=early))
    assert service.evaluate_now(SYSTEM, EVALUATE).notes[0].endswith("labels that wait for their record: 1")
    assert service.get_drift(SYSTEM, GetDrift(**CHURN, deployment="canary")).model_version == "2"


def asdict_shallow(use: UseReference) -> dict[str, Any]:
    return {name: getattr(use, name) for name in UseReference.__slots__}


def test_a_removed_deployment_is_watched_no_more(
    service: Monitoring, happen: Any, send: Any, use: UseReference
) -> None:
    happen("serving.revision.created")
    service.use_reference(SYSTEM, use)
    send(300, mean=90)
    service.evaluate_now(SYSTEM, EVALUATE)
    happen("serving.deployment.removed")
    assert service.list_monitors(SYSTEM, ListMonitors(workspace="demo")).items == []
    assert open_alerts(service) == []
    happen("serving.revision.created", revision="rev-9")
    assert the_monitor(service).revision == "rev-9"
    happen("serving.endpoint.deleted")
    assert service.list_monitors(SYSTEM, ListMonitors(workspace="demo")).items == []


def test_a_reference_that_cannot_be_read_says_why(service: Monitoring, happen: Any, send: Any, tmp_path: Path) -> None:
    happen("serving.revision.created")
    service.use_reference(SYSTEM, UseReference(**CHURN, path=str(tmp_path / "nowhere")))
    send(30)
    found = service.evaluate_now(SYSTEM, EVALUATE)
    assert found.drift == []
    assert found.notes[0] == "champion: no drift, there is no readable reference in 'nowhere'"
    assert the_monitor(service).reference.state == "FAILED"


def test_the_part_of_a_split_is_the_reference(service: Monitoring, happen: Any, tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": ["c", "a", "b", "d"], "x": [3.0, 1.0, 2.0, 4.0]})
    frame.write_delta(str(tmp_path / "lake/demo/customers"))
    pl.DataFrame({"row": [0, 1, 2, 3], "part": ["train", "test", "train", "test"]}).write_parquet(
        tmp_path / "split.parquet"
    )
    happen("serving.revision.created")
    split = {"file": str(tmp_path / "split.parquet"), "part": "train", "key": "id"}
    path = str(tmp_path / "lake/demo/customers")
    service.use_reference(SYSTEM, UseReference(**CHURN, path=path, delta_version=0, split=split, features=["x"]))
    service.look()
    assert pl.read_parquet(the_monitor(service).reference.file)["input_x"].sort().to_list() == [1.0, 3.0]


def test_a_sample_can_be_the_reference_and_is_not_shown(service: Monitoring, happen: Any, send: Any) -> None:
    happen("serving.revision.created")
    rows = [{"c0": "basic", "c1": float(n)} for n in range(100)]
    (monitor,) = service.set_reference(SYSTEM, SetReference(**CHURN, rows=rows))
    assert "rows" not in monitor.reference.source
    send(30)
    assert service.evaluate_now(SYSTEM, EVALUATE).drift[0].reference_rows == 100
    with pytest.raises(Invalid):
        SetReference(**CHURN)


def test_a_sample_that_makes_no_table_is_refused_where_it_breaks() -> None:
    for rows, words in (
        ([{"plan": "basic"}, {"plan": 3}], "'plan' of row 2 is numbers, but the rows before it have text"),
        ([{"plan": {"deep": 1}}], "'plan' of row 1 is no value of a table"),
        ([{"paid": 2**63}], "'paid' of row 1 is no value of a table"),
    ):
        with pytest.raises(Invalid, match=words):
            SetReference(**CHURN, rows=rows)


def test_a_dataset_is_a_reference_only_for_those_who_may_read_it(service: Monitoring, happen: Any) -> None:
    happen("serving.revision.created")
    grant = Grant(workspace="demo", permissions=frozenset({"monitoring.edit"}))
    who = Principal(id="u", name="ann", kind="user", grants=(grant,))
    with pytest.raises(Forbidden, match=r"lake\.read"):
        service.set_reference(who, SetReference(**CHURN, dataset="secrets"))


def test_a_monitor_is_changed_and_switched_off(service: Monitoring, happen: Any, send: Any, use: UseReference) -> None:
    happen("serving.revision.created")
    service.use_reference(SYSTEM, use)
    monitor = the_monitor(service)
    changed = service.change_monitor(
        SYSTEM, ChangeMonitor(workspace="demo", monitor=monitor.id, window_rows=60, is_enabled=True)
    )
    assert (changed.window_rows, changed.version) == (60, monitor.version + 1)
    with pytest.raises(Stale):
        service.change_monitor(SYSTEM, ChangeMonitor(workspace="demo", monitor=monitor.id, expected_version=1))
    send(100)
    assert service.evaluate_now(SYSTEM, EVALUATE).drift[0].rows == 60
    service.change_monitor(SYSTEM, ChangeMonitor(workspace="demo", monitor=monitor.id, is_enabled=False))
    with pytest.raises(NotFound):
        service.evaluate_now(SYSTEM, EVALUATE)


def test_rules_can_look_at_one_input_and_at_missing_values(
    service: Monitoring, happen: Any, send: Any, use: UseReference
) -> None:
    happen("serving.revision.created")
    service.use_reference(SYSTEM, use)
    service.create_rule(SYSTEM, CreateRule(**CHURN, metric="drift.feature_psi", feature="c0", threshold=0.2))
    service.create_rule(SYSTEM, CreateRule(**CHURN, metric="data.unseen", threshold=0.3))
    service.create_rule(SYSTEM, CreateRule(**CHURN, metric="drift.drifted", threshold=5))
    send(100, plans=("new",))
    service.evaluate_now(SYSTEM, EVALUATE)
    assert sorted(open_alerts(service)) == ["data.unseen", "drift.feature_psi"]


def test_the_policy_of_an_endpoint_comes_from_serving(
    service: Monitoring, happen: Any, send: Any, tmp_path: Path, clock: Any
) -> None:
    policy = {"sample": 0.5, "payload": False, "retention_days": 1, "max_bytes": 2**20}
    happen("serving.endpoint.created", record=policy)
    send(3)
    assert service.list_records(SYSTEM, ListRecords(**CHURN)).items[0].inputs == {}
    clock.forward(3 * 86_400)
    service.keep()
    assert service.list_records(SYSTEM, ListRecords(**CHURN)).items == []


def test_erasure_takes_records_and_their_feedback(
    service: Monitoring, send: Any, registry: Registry, tmp_path: Path
) -> None:
    records = send(20, plans=("Eve Adams",))
    others = send(20)
    labels = [Label(request_id=one[0]["id"], label="Yes") for one in (records, others)]
    service.send_feedback(SYSTEM, SendFeedback(**CHURN, labels=labels))
    service.set_reference(
        SYSTEM, SetReference(**CHURN, rows=[{"c0": "Eve Adams", "c1": 1.0}, {"c0": "basic", "c1": 1.0}])
    )
    service.look()
    reference = the_monitor(service).reference.file
    with service._database.change(SYSTEM, "demo") as change:
        labels = {"workspace": "demo", "consumer": "Eve Adams"}
        named = {"name": "requests", "labels_hash": "0", "labels": labels, "workspace": "demo"}
        change.execute(insert(series_names).values(**named))
    assert counted(registry, "Eve Adams", workspace="other") == {}
    assert counted(registry, "Eve Adams", workspace="demo") == {
        "inference records": 20,
        "feedback": 1,
        "rows of monitors and trainings": 1,
        "findings of monitors": 1,
    }
    assert counted(registry, "Eve Adams") == {}, "asked again there is nothing left"
    assert service.get_coverage(SYSTEM, GetCoverage(**CHURN)).feedback == 1
    assert pl.read_parquet(reference).height == 1
    left = [f for f in (tmp_path / "lake").rglob("*") if f.is_file()]
    assert not any(b"Eve Adams" in f.read_bytes() for f in left)
    with service._database.read() as conn:
        texts = [str(row) for table in metadata.sorted_tables for row in conn.execute(select(table))]
    assert not any("Eve Adams" in text for text in texts)


def counted(registry: Registry, *values: str, **where: Any) -> dict[str, int]:
    """Erase somebody; return what was erased."""
    found = jobs.erase(registry, Person(erasure="01E", values=values, **where))
    return {one.what: one.count for one in found if one.count}


def test_erasure_by_request_id_by_key_and_by_number(service: Monitoring, send: Any, registry: Registry) -> None:
    ids = [one["id"] for one in send(5)]
    keyed = Label(request_id=ids[1], label="No", key="A-1007")
    service.send_feedback(SYSTEM, SendFeedback(**CHURN, labels=[keyed, Label(request_id=ids[2], label="No")]))
    service.look()
    assert counted(registry, ids[0]) == {"inference records": 1}
    assert counted(registry, "A-1007") == {"inference records": 1, "feedback": 1}
    number = str(service.list_records(SYSTEM, ListRecords(**CHURN)).items[0].inputs["c1"])
    assert counted(registry, number) == {}, "a number counts only in the column that is named"
    assert counted(registry, number, column="c1") == {"inference records": 1}


def test_a_segment_that_could_not_be_read_goes_when_it_names_somebody(
    service: Monitoring, registry: Registry, tmp_path: Path
) -> None:
    folder = tmp_path / "records" / "w1"
    folder.mkdir(parents=True)
    for name, text in (("1.bad", b"..Eve Adams.."), ("2.bad", b"..somebody..")):
        (folder / name).write_bytes(text)
    assert counted(registry, "Eve Adams") == {"segments": 1}
    assert [path.name for path in folder.iterdir()] == ["2.bad"]


def test_after_a_restart_what_was_left_undone_is_done(
    ground: Ground, service: Monitoring, happen: Any, send: Any, use: UseReference
) -> None:
    happen("serving.revision.created")
    service.use_reference(SYSTEM, use)
    send(300, mean=90)
    Monitoring(ground).look()
    assert open_alerts(service) == ["drift.max_psi"]


def test_old_findings_keep_their_numbers_and_lose_their_histograms(
    service: Monitoring, ground: Ground, happen: Any, send: Any, use: UseReference, clock: Any
) -> None:
    happen("serving.revision.created")
    service.use_reference(SYSTEM, use)
    send(60)
    for _ in range(12):
        clock.forward(60)
        service.evaluate_now(SYSTEM, EVALUATE)
    with ground.database.read() as conn:
        found = [bool(row.found) for row in conn.execute(drifts.select().order_by(drifts.c.at))]
    assert found == [False] * 2 + [True] * 10
    assert len(service.get_drift(SYSTEM, GetDrift(**CHURN)).history) == 12
    clock.forward(8 * 86_400)
    service.keep()
    assert len(service.get_drift(SYSTEM, GetDrift(**CHURN)).history) <= 2


def test_an_endpoint_that_fails_does_not_stop_the_others(
    service: Monitoring, happen: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("alpha", "omega"):
        service.create_rule(SYSTEM, CreateRule(workspace="demo", endpoint=name, metric="traffic.p95_ms", threshold=1))
    seen: list[str] = []

    def settle(workspace: str, endpoint: str) -> int:
        seen.append(endpoint)
        raise ZeroDivisionError if endpoint == "alpha" else Unavailable("the child is busy")

    monkeypatch.setattr(service, "settle", settle)
    with pytest.raises(ZeroDivisionError):
        service.look()
    clock.forward(10)
    with pytest.raises(ZeroDivisionError):
        service.look()
    monkeypatch.undo()
    clock.forward(10)
    assert service.look() == 2
