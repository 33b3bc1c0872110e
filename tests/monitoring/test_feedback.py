from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from pydantic import TypeAdapter, ValidationError

from aimass.kernel.errors import Forbidden, Invalid
from aimass.kernel.principal import SYSTEM, Grant, Principal
from aimass.monitoring.domain.records import (
    GetCoverage,
    KeyList,
    Label,
    LabelledRecords,
    ListFeedback,
    ListRecords,
    SendFeedback,
)
from aimass.monitoring.service.ground import Ground
from aimass.monitoring.service.monitoring import Monitoring
from aimass.monitoring.store import recorded
from tests.monitoring.samples import make_record, make_records

CHURN = {"workspace": "demo", "endpoint": "churn"}


def feedback(*pairs: tuple[int, Any]) -> SendFeedback:
    return SendFeedback(**CHURN, labels=[Label(request_id=make_record(n)["id"], label=label) for n, label in pairs])


def coverage(service: Monitoring) -> tuple[int, int, int]:
    found = service.get_coverage(SYSTEM, GetCoverage(**CHURN))
    return found.feedback, found.known, found.unknown


def test_feedback_is_matched_with_its_record(service: Monitoring, write_segment: Any) -> None:
    write_segment(make_records(1, 2, 3))
    service.collect()
    receipt = service.send_feedback(SYSTEM, feedback((1, "Yes"), (2, "No")))
    assert (receipt.received, receipt.added, receipt.changed, receipt.repeated) == (2, 2, 0, 0)
    service.look()
    assert coverage(service) == (2, 2, 0)
    assert service.get_coverage(SYSTEM, GetCoverage(**CHURN)).share == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "one",
    [
        '{"type": "place", "start": 10, "end": 14}',
        '{"label": "cat", "x": 1, "y": 2, "width": 30, "height": 40}',
    ],
)
def test_a_list_of_entities_or_objects_may_be_long_and_nothing_else(service: Monitoring, one: str) -> None:
    many = f"[{', '.join([one] * 300)}]"
    service.send_feedback(SYSTEM, feedback((1, many)))
    (found,) = service.list_feedback(SYSTEM, ListFeedback(**CHURN, request_id=make_record(1)["id"])).items
    assert found.label == many
    for long in ("x" * 301, "[" * 5000, f"[{many}]", "[{" + " " * 400 + "}]", f"[{', '.join([one] * 600)}]"):
        with pytest.raises(Invalid, match="empty or too long"):
            feedback((1, long))
    with pytest.raises(Invalid, match="characters together"):
        feedback(*((number, many) for number in range(300)))


def test_values_of_a_series_and_a_summary_may_be_long_and_are_kept_in_their_order(service: Monitoring) -> None:
    read: Any = TypeAdapter(Label).validate_python
    series = [round(900.5 - n / 8, 3) for n in range(500)]
    told = [
        {"request_id": f"q{at}", "label": label} for at, label in enumerate(([3, None, 1.5], series, "No news. " * 60))
    ]
    labels = [read(one) for one in told]
    assert [one.text for one in labels[:2]] == ["[3.0, null, 1.5]", str(series)]
    service.send_feedback(SYSTEM, SendFeedback(**CHURN, labels=labels))
    assert service.list_feedback(SYSTEM, ListFeedback(**CHURN, request_id="q2")).items[0].label == "No news. " * 60
    for long in ("No news. " * 600, str([0.123456789] * 2000)):
        with pytest.raises(Invalid, match="empty or too long"):
            feedback((1, long))
    with pytest.raises(Invalid, match="no finite number"):
        feedback((1, read({"request_id": "a", "label": [1, float("inf")]}).label))
    with pytest.raises(ValidationError):
        read({"request_id": "a", "label": [1, "two"]})


def test_feedback_that_is_earlier_than_its_record_waits_for_it(service: Monitoring, write_segment: Any) -> None:
    service.send_feedback(SYSTEM, feedback((1, "Yes"), (9, "No")))
    service.look()
    assert coverage(service) == (2, 0, 2)
    write_segment(make_records(1))
    service.collect()
    service.look()
    assert coverage(service) == (2, 1, 1)
    waiting = service.list_feedback(SYSTEM, ListFeedback(**CHURN, known=False)).items
    assert [found.request_id for found in waiting] == [make_record(9)["id"]]


def test_the_same_feedback_again_changes_nothing_and_another_label_wins_with_its_history(service: Monitoring) -> None:
    service.send_feedback(SYSTEM, feedback((1, "Yes")))
    assert service.send_feedback(SYSTEM, feedback((1, "Yes"))).repeated == 1
    assert service.send_feedback(SYSTEM, feedback((1, "No"), (1, "Maybe"))).changed == 1
    (found,) = service.list_feedback(SYSTEM, ListFeedback(**CHURN, request_id=make_record(1)["id"])).items
    assert (found.label, [said.label for said in found.before]) == ("Maybe", ["Yes"])


def test_the_lake_has_each_label_once_and_the_last_one_counts(
    service: Monitoring, ground: Ground, write_segment: Any, tmp_path: Any
) -> None:
    write_segment(make_records(1))
    service.collect()
    for label in ("Yes", "No"):
        service.send_feedback(SYSTEM, feedback((1, label)))
        service.settle("demo", "churn")
        forget_what_was_pushed(ground)
        service.settle("demo", "churn")
    rows = pl.read_delta(str(tmp_path / "lake/demo/_feedback-churn")).sort("seq")
    assert rows["label"].to_list() == ["Yes", "No"]
    found = service.labelled_records(SYSTEM, LabelledRecords(**CHURN, target="Churn"))
    assert found.labels == {"No": 1}


def forget_what_was_pushed(ground: Ground) -> None:
    """As if the process had died between the lake and the database."""
    with ground.database.change(SYSTEM, "demo") as change:
        recorded.put_endpoint(change, "demo", "churn", {}, pushed_seq=0)


def test_ten_thousand_labels_are_one_batch_and_more_are_refused(service: Monitoring) -> None:
    many = [Label(request_id=f"r{n}", label="Yes") for n in range(10_000)]
    assert service.send_feedback(SYSTEM, SendFeedback(**CHURN, labels=many)).added == 10_000
    assert service.send_feedback(SYSTEM, SendFeedback(**CHURN, labels=many)).repeated == 10_000
    with pytest.raises(Invalid, match="10001 labels"):
        SendFeedback(**CHURN, labels=[*many, many[0]])
    with pytest.raises(Invalid, match="empty or too long"):
        SendFeedback(**CHURN, labels=[Label(request_id="a", label="")])


def test_pages_of_feedback_join_without_a_gap(service: Monitoring) -> None:
    service.send_feedback(SYSTEM, feedback(*[(n, "Yes") for n in range(7)]))
    seen: list[str] = []
    cursor = None
    while True:
        page = service.list_feedback(SYSTEM, ListFeedback(**CHURN, limit=3, cursor=cursor))
        seen += [found.request_id for found in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen == [make_record(n)["id"] for n in reversed(range(7))]


def test_a_viewer_may_not_send_feedback_and_sees_no_values(service: Monitoring, write_segment: Any) -> None:
    viewer = Principal(
        id="u", name="eve", kind="user", grants=(Grant(workspace="demo", permissions=frozenset({"*.read"})),)
    )
    with pytest.raises(Forbidden):
        service.send_feedback(viewer, feedback((1, "Yes")))
    write_segment(make_records(1))
    service.collect()
    (masked,) = service.list_records(viewer, ListRecords(**CHURN)).items
    (shown,) = service.list_records(SYSTEM, ListRecords(**CHURN)).items
    assert (masked.is_masked, masked.inputs) == (True, {"Contract": "***", "tenure": "***"})
    assert shown.inputs == {"Contract": "One year", "tenure": 1.0}


def test_records_come_in_pages_with_their_truth(service: Monitoring, write_segment: Any) -> None:
    write_segment(make_records(*range(5)))
    service.collect()
    service.send_feedback(SYSTEM, feedback((4, "Yes")))
    first = service.list_records(SYSTEM, ListRecords(**CHURN, limit=2))
    rest = service.list_records(SYSTEM, ListRecords(**CHURN, cursor=first.next))
    assert [r.id for r in (*first.items, *rest.items)] == [make_record(n)["id"] for n in reversed(range(5))]
    assert (first.items[0].feedback, first.items[1].feedback) == ("Yes", None)
    assert rest.next is None


def test_labelled_records_have_inputs_and_truth_and_nothing_that_names_a_request(
    service: Monitoring, write_segment: Any
) -> None:
    write_segment([*make_records(1, 2, 3), make_record(4, inputs=None, outputs=None)])
    service.collect()
    service.send_feedback(SYSTEM, feedback((1, "Yes"), (3, "No"), (4, "No"), (77, "No")))
    service.look()
    found = service.labelled_records(SYSTEM, LabelledRecords(**CHURN, target="Churn"))
    assert (found.rows, found.without_inputs, found.labels) == (2, 1, {"No": 1, "Yes": 1})
    assert pl.read_parquet(found.path).sort("tenure").to_dicts() == [
        {"tenure": 1.0, "Contract": "One year", "Churn": "Yes"},
        {"tenure": 3.0, "Contract": "Month-to-month", "Churn": "No"},
    ]
    later = LabelledRecords(**CHURN, target="Churn", told_since=service._ground.now().replace(year=2090))
    assert service.labelled_records(SYSTEM, later).rows == 0


def test_what_came_of_decisions_is_a_row_with_the_action_and_its_chance(
    service: Monitoring, write_segment: Any
) -> None:
    said = {"action": ["call"], "propensity": [0.9], "probabilities": [[0.9, 0.1]], "rewards": [[1.0, 0.0]]}
    decided = [make_record(n, outputs=said) for n in (1, 2)]
    write_segment([*decided, make_record(3)])  # the last one was answered by a model of another kind
    service.collect()
    service.send_feedback(SYSTEM, feedback((1, 2.5), (2, "much"), (3, 1.0)))
    service.look()
    wish = LabelledRecords(**CHURN, target="won", action="done", propensity="chance")
    found = service.labelled_records(SYSTEM, wish)
    assert pl.read_parquet(found.path).to_dicts() == [
        {"tenure": 1.0, "Contract": "One year", "done": "call", "chance": 0.9, "won": 2.5}
    ]
    assert found.left_out == 2


def test_labels_that_are_no_text_are_written_as_models_write_them() -> None:
    assert [Label(request_id="a", label=value).text for value in (True, 1, 1.0, 2.5, "Yes")] == [
        "true",
        "1",
        "1",
        "2.5",
        "Yes",
    ]


def keyed(*told: tuple[int, str, str | None]) -> SendFeedback:
    labels = [Label(request_id=make_record(n)["id"], label=label, key=key) for n, label, key in told]
    return SendFeedback(**CHURN, labels=labels)


def test_a_key_that_comes_with_the_truth_names_the_fed_back_row(service: Monitoring, write_segment: Any) -> None:
    write_segment(make_records(1, 2, 3))
    service.collect()
    service.send_feedback(SYSTEM, keyed((1, "Yes", "A-1"), (2, "No", None), (3, "No", "A-3")))
    service.look()
    found = service.labelled_records(SYSTEM, LabelledRecords(**CHURN, target="Churn", key="customerID"))
    assert (found.rows, found.without_key, found.left_out) == (3, 1, 0)
    assert pl.read_parquet(found.path).sort("tenure")["customerID"].to_list() == ["A-1", None, "A-3"]


def test_rows_that_judge_models_are_left_out(service: Monitoring, write_segment: Any, tmp_path: Any) -> None:
    write_segment(make_records(1, 2))
    service.collect()
    service.send_feedback(SYSTEM, keyed((1, "Yes", "A-1"), (2, "No", "A-2")))
    service.look()
    pl.DataFrame({"identity": ["A-1", "A-2"], "part": ["test", "train"]}).write_parquet(tmp_path / "split.parquet")
    judges = KeyList(path=str(tmp_path / "split.parquet"), column="identity", by="part", chosen=("validation", "test"))
    wanted = LabelledRecords(**CHURN, target="Churn", key="customerID", without=judges, name="again")
    found = [service.labelled_records(SYSTEM, wanted) for _ in range(2)]
    assert (found[0].rows, found[0].left_out) == (1, 1)
    assert found[0] == found[1], "the same name is the same file"


def test_a_key_told_once_stays_and_is_hidden_from_who_may_not_see_values(service: Monitoring) -> None:
    service.send_feedback(SYSTEM, keyed((1, "Yes", None)))
    assert service.send_feedback(SYSTEM, keyed((1, "Yes", "A-1"))).changed == 1
    assert service.send_feedback(SYSTEM, keyed((1, "Yes", None))).repeated == 1
    service.send_feedback(SYSTEM, keyed((1, "No", None)))
    viewer = Principal(
        id="u", name="eve", kind="user", grants=(Grant(workspace="demo", permissions=frozenset({"*.read"})),)
    )
    assert [service.list_feedback(who, ListFeedback(**CHURN)).items[0].key for who in (SYSTEM, viewer)] == [
        "A-1",
        "***",
    ]


def test_a_row_that_no_record_can_name_is_refused() -> None:
    asked = TypeAdapter(Label)
    assert asked.validate_python({"request_id": "a", "label": "Yes", "row": 2**31 - 1}).row == 2**31 - 1
    with pytest.raises(ValidationError, match="less than or equal to"):
        asked.validate_python({"request_id": "a", "label": "Yes", "row": 2**31})
