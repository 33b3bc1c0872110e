"""Batch inference through the rooms: real jobs in child processes, real tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest
from sqlalchemy import select

from aimass.infra.database import Database, events_log, lineage_edges
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from aimass.kernel.principal import SYSTEM
from aimass.lake import AboutVersion, OneDataset
from aimass.lake.commands import DeleteDataset
from aimass.messaging import CreateSchedule, JobAction, Messaging, ScheduleName
from aimass.models import load_model, read_package
from aimass.monitoring.domain.records import GetRecording, ListRecords
from aimass.serving import ChangeEndpoint
from aimass.serving.domain.scoring import ListScorings, OneScoring, StartScoring
from tests.fixtures.packages import packages
from tests.fixtures.rooms import person
from tests.fixtures.scoring import ANN, Batch, batch_rooms, rows

ONE: dict[str, Any] = {"workspace": "demo", "endpoint": "churn"}


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batch]:
    with batch_rooms(tmp_path_factory.mktemp("batch")) as found:
        found.dataset("customers", rows(1234))
        found.serve()
        yield found


def expected(frame: pl.DataFrame, package: str = "one") -> Any:
    """What the model says when it is asked the plain way."""
    model = load_model(read_package(packages()[package]))
    said = model.predict({name: frame[name].to_list() for name in ("c0", "c1")})
    return {name: np.asarray(values).tolist() for name, values in said.items()}


def test_an_endpoint_scores_a_dataset_into_a_version_of_another(batch: Batch) -> None:
    done = batch.score(key="first")
    assert (done.state, done.rows, done.total, done.to_version) == ("SUCCEEDED", 1234, 1234, 1), done.error
    assert (done.model, done.model_version, done.deployment) == ("churn", 1, "champion")
    table, said = batch.table(), expected(rows(1234))
    assert table.columns[:3] == ["id", "c0", "c1"]
    assert table["prediction"].to_list() == said["label"]
    np.testing.assert_allclose(table["probability_Yes"].to_numpy(), np.array(said["probabilities"])[:, 1], atol=1e-6)
    assert table["model_version"].unique().to_list() == [1]
    assert table["request_id"].n_unique() == 13
    assert table["row"].to_list()[:101] == [*range(100), 0]


def test_the_same_key_is_the_same_scoring_and_another_wish_is_refused(batch: Batch) -> None:
    first = batch.score(key="again", to="again")
    second = batch.start(key="again", to="again")
    assert (second.id, second.state) == (first.id, "SUCCEEDED")
    with pytest.raises(Conflict, match="another scoring"):
        batch.start(key="again", to="elsewhere")


def test_lineage_leads_from_rows_and_model_to_the_predictions(batch: Batch) -> None:
    batch.score(to="traced")
    made = batch.lake.get_version(ANN, AboutVersion(workspace="demo", dataset="traced"))
    source = batch.lake.get_version(ANN, AboutVersion(workspace="demo", dataset="customers"))
    with batch.rooms.get(Database).read() as conn:
        edges = conn.execute(select(lineage_edges).where(lineage_edges.c.dst_id == made.id)).all()
        kinds = {row.type for row in conn.execute(select(events_log))}
    assert {(edge.src_kind, edge.src_id) for edge in edges} == {
        ("dataset_version", source.id),
        ("model_version", "churn/1"),
    }
    assert {"serving.scoring.started", "serving.scoring.finished"} <= kinds
    assert made.origin.startswith("scoring:")


def test_a_model_version_or_alias_scores_without_an_endpoint(batch: Batch) -> None:
    done = batch.score(model="churn", to="by-alias", keep=["id"], prefix="churn_")
    assert (done.endpoint, done.model_version) == (None, 2)
    table = batch.table("by-alias")
    assert table.columns == [
        "id", "churn_prediction", "churn_probability_No", "churn_probability_Yes",
        "churn_model", "churn_model_version", "churn_request_id", "churn_row",
    ]  # fmt: skip
    assert table["churn_prediction"].to_list() == expected(rows(1234), "two")["label"]


def test_a_package_that_runs_code_scores_in_workers_of_its_own(batch: Batch) -> None:
    done = batch.score(model="scikit", model_version=1, to="by-python", keep=[])
    assert done.state == "SUCCEEDED", done.error
    said = expected(rows(1234), "python")
    assert batch.table("by-python")["prediction"].to_list() == said["label"]


def test_a_second_scoring_replaces_or_adds(batch: Batch) -> None:
    for mode, height in (("overwrite", 1234), ("overwrite", 1234), ("append", 2468)):
        done = batch.score(to="many", mode=mode)
        assert done.state == "SUCCEEDED", done.error
        assert batch.table("many").height == height
    assert done.to_version == 3
    assert batch.table("many", 1).height == 1234


def test_other_columns_than_before_still_make_a_version(batch: Batch) -> None:
    batch.score(to="wider", keep=["id"])
    done = batch.score(to="wider", keep=["id", "c1"])
    assert done.state == "SUCCEEDED", done.error
    assert "c1" in batch.table("wider").columns


def test_columns_are_mapped_by_name_and_checked_before_a_job_starts(batch: Batch) -> None:
    batch.dataset("renamed", rows(50).rename({"c1": "charge"}).with_columns(text=pl.lit("x")))
    with pytest.raises(Invalid, match="input 'c1' has no column in the dataset") as refused:
        batch.start(dataset="renamed")
    assert refused.value.field == "columns"
    with pytest.raises(Invalid, match="input 'c1' wants float, and column 'text' is string"):
        batch.start(dataset="renamed", columns={"c1": "text"})
    with pytest.raises(Invalid, match="no input 'nothing'"):
        batch.start(dataset="renamed", columns={"nothing": "charge"})
    done = batch.score(dataset="renamed", columns={"c1": "charge"}, to="mapped")
    assert done.state == "SUCCEEDED", done.error
    assert batch.table("mapped")["prediction"].to_list() == expected(rows(50))["label"]


def test_nulls_where_the_model_takes_none_are_refused_before_a_job_starts(batch: Batch) -> None:
    batch.dataset("gaps", rows(50, c1=pl.when(pl.int_range(50) == 7).then(None).otherwise(1.0)))
    with pytest.raises(Invalid, match="input 'c1' may not be null, and column 'c1' has 1 nulls"):
        batch.start(dataset="gaps")


def test_what_is_strange_is_said_with_field_value_and_way_out(batch: Batch) -> None:
    with pytest.raises(Invalid, match="name what scores"):
        batch.start(endpoint=None)
    with pytest.raises(Invalid, match="a dataset of their own"):
        batch.start(to="customers")
    with pytest.raises(Invalid, match="no column 'nothing'"):
        batch.start(keep=["nothing"])
    batch.dataset("taken", rows(5).rename({"id": "prediction"}))
    with pytest.raises(Conflict, match="has the name of a prediction column"):
        batch.start(dataset="taken")
    with pytest.raises(NotFound):
        batch.start(dataset="nowhere")
    with pytest.raises(NotFound):
        batch.start(endpoint="nowhere")


def test_who_may_not_read_the_rows_or_write_the_predictions_is_refused(batch: Batch) -> None:
    command = StartScoring(**ONE, dataset="customers", to="scores")
    for missing in ("serving.use", "lake.use", "lake.edit"):
        rights = {"serving.use", "lake.use", "lake.edit"} - {missing}
        with pytest.raises(Forbidden, match=missing.replace(".", r"\.")):
            batch.serving.start_scoring(person("Bob", *rights), command)


def test_unseen_categories_are_served_and_counted_or_refused_as_the_endpoint_says(batch: Batch) -> None:
    odd = pl.when(pl.int_range(300) % 100 == 1).then(pl.lit("gold")).otherwise(pl.lit("basic"))
    batch.dataset("strange", rows(300, c0=odd))
    served = batch.score(dataset="strange", to="strange-scores")
    assert served.state == "SUCCEEDED", served.error
    with batch.rooms.get(Database).read() as conn:
        events = conn.execute(select(events_log).where(events_log.c.type == "serving.scoring.finished")).all()
    assert next(e.data for e in events if e.data["to"] == "strange-scores")["unseen"] == {"c0": 3}
    assert batch.table("strange-scores")["prediction"].to_list() == expected(batch.table("strange"))["label"]
    batch.serving.change_endpoint(ANN, ChangeEndpoint(**ONE, unseen="refuse"))
    try:
        refused = batch.score(dataset="strange", to="strange-scores")
    finally:
        batch.serving.change_endpoint(ANN, ChangeEndpoint(**ONE, unseen="model"))
    assert refused.state == "FAILED"
    assert refused.error is not None
    assert "row 1: 'gold' in column 'c0' is none of the categories" in refused.error["detail"]


def test_a_cancelled_scoring_makes_no_version(batch: Batch) -> None:
    started = batch.start(to="never")
    batch.serving.cancel_scoring(ANN, OneScoring(workspace="demo", scoring=started.id))
    assert batch.ended(started).state == "CANCELLED"
    assert batch.lake.get_dataset(ANN, OneDataset(workspace="demo", dataset="never")).latest is None
    with pytest.raises(Conflict, match="is CANCELLED"):
        batch.serving.cancel_scoring(ANN, OneScoring(workspace="demo", scoring=started.id))


def test_scorings_are_found_by_what_they_read_and_wrote(batch: Batch) -> None:
    done = batch.score(to="found-by-name")
    wishes = (
        ListScorings(workspace="demo", dataset="found-by-name"),
        ListScorings(workspace="demo", state="SUCCEEDED"),
    )
    for wish in wishes:
        assert batch.serving.list_scorings(ANN, wish).items[0].id == done.id
    assert batch.serving.list_scorings(ANN, ListScorings(workspace="demo", model="nothing")).items == []


def test_records_of_a_scoring_count_as_rows_and_not_as_requests(batch: Batch) -> None:
    batch.monitoring.collect()
    before = batch.monitoring.get_recording(SYSTEM, GetRecording(**ONE))
    done = batch.score(to="recorded", record=300)
    batch.monitoring.collect()
    after = batch.monitoring.get_recording(SYSTEM, GetRecording(**ONE))
    assert (after.requests, after.rows - before.rows) == (0, 334)
    wish = ListRecords(**ONE, origin="batch", request_id=f"{done.id}-0", limit=500)
    kept = batch.monitoring.list_records(SYSTEM, wish).items
    first = batch.table("recorded").filter(pl.col("request_id") == f"{done.id}-0").sort("row")
    assert sorted((one.row, one.label) for one in kept) == list(zip(first["row"], first["prediction"], strict=True))
    assert {(one.latency_us, one.origin, one.revision) for one in kept} == {(None, "batch", done.revision)}
    assert batch.monitoring.list_records(SYSTEM, ListRecords(**ONE, origin="live")).items == []


def test_a_schedule_scores_and_one_that_cannot_is_a_failed_job(batch: Batch) -> None:
    messaging = batch.rooms.get(Messaging)
    wish = {"endpoint": "churn", "dataset": "customers", "to": "nightly"}

    def schedule(name: str, **payload: Any) -> CreateSchedule:
        action = JobAction(kind="serving.score", payload={**wish, **payload})
        return CreateSchedule(workspace="demo", name=name, cron="0 3 * * *", job=action)

    with pytest.raises(Invalid, match="no field 'colour'"):
        messaging.create_schedule(ANN, schedule("bad", colour="red"))
    with pytest.raises(NotFound):
        messaging.create_schedule(ANN, schedule("bad", dataset="nowhere"))
    with pytest.raises(Forbidden, match=r"lake\.use|serving\.use|lake\.edit"):
        messaging.create_schedule(person("Bob", "messaging.edit"), schedule("bad"))
    messaging.create_schedule(ANN, schedule("night"))
    messaging.run_schedule(ANN, ScheduleName(workspace="demo", schedule="night"))
    batch.hear("messaging.schedule.fired")
    (started,) = batch.serving.list_scorings(ANN, ListScorings(workspace="demo", dataset="nightly")).items
    assert batch.ended(started).state == "SUCCEEDED"
    batch.dataset("customers-later", rows(10))
    messaging.create_schedule(ANN, schedule("later", dataset="customers-later"))
    manager = person("Max", "lake.manage")
    batch.lake.delete_dataset(manager, DeleteDataset(workspace="demo", dataset="customers-later"))
    messaging.run_schedule(ANN, ScheduleName(workspace="demo", schedule="later"))
    batch.hear("messaging.schedule.fired")
    failed = batch.jobs("FAILED", "serving.score")
    assert "customers-later" in str(failed[0].error)
