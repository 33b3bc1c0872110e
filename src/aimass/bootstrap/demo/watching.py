"""The chapters of the story after the first prediction: traffic, drift, feedback, retraining, canary."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from aimass.bootstrap.demo.chapters import RETRAIN, SAME
from aimass.bootstrap.demo.screen import Line
from aimass.bootstrap.demo.story import DATASET, KEY, MODEL, TARGET, Story, customers, follow_run, output, until
from aimass.kernel.errors import Failed, NotFound

_STEADY, _SHIFTED = 300, 500
_CANARY_ROUND = 100
_CANARY_REQUESTS = 40
_RAISE = 1.35
_RETRAINED = 2
_REST_S = 3600


def watch(story: Story, line: Line) -> str:
    """Send future customers, then a shifted part of them, and their truth as feedback, until an alert fires."""
    _retrain_pipeline(story)
    people = list(_future(story))
    rng = random.Random(7)  # noqa: S311 the same traffic in every telling
    steady = people[:_STEADY]
    shifted = [_shift(person) for person in rng.sample(people, min(_SHIFTED, len(people)))]
    _send(story, line, [("steady", steady), ("shifted", shifted)])
    line.note = "waiting for the records in the lake"
    until(lambda: _landed(story), what="the records of all feedback", limit_s=120)
    alert = until(lambda: _alert(story), what="an alert", limit_s=120)
    drift = story.client.monitoring.get_drift(endpoint=MODEL)
    worst = max(drift.features, key=lambda f: f.psi)
    quality = story.client.monitoring.get_quality(endpoint=MODEL).metrics["auc"]
    story.facts["alert"] = alert
    return (
        f"{drift.rows} records, PSI {worst.psi:.2f} on {worst.name}, live AUC {quality.value:.3f}; alert: {alert.name}"
    )


def _landed(story: Story) -> int | None:
    """Return how many requests have their truth, once all of them are recorded: what is learned again is then always the same."""
    found = story.client.monitoring.get_coverage(endpoint=MODEL)
    return found.known if found.unknown == 0 else None


def _retrain_pipeline(story: Story) -> None:
    try:
        story.client.lifecycle.get_pipeline(pipeline=RETRAIN)
    except NotFound:
        trigger: Any = {"event": "monitoring.alert.fired", "subject": f"endpoint:{MODEL}", "rest_s": _REST_S}
        parameters = {**SAME, "canary_requests": _CANARY_REQUESTS, "recipes": _best(story)}
        story.client.lifecycle.create_pipeline(
            name=RETRAIN, template="retrain", parameters=parameters, triggers=[trigger]
        )


def _best(story: Story) -> list[str]:
    """Return the recipes that were best on the first data: the others need not learn from the new rows too."""
    scores = output(story.client.lifecycle.get_run(run=story.facts["release"]), "choose")["scores"]
    return sorted(scores, key=lambda recipe: -scores[recipe])[:_RETRAINED]


def _future(story: Story) -> Iterator[dict[str, Any]]:
    """Yield the customers of the part that was put aside for traffic."""
    run = story.client.lifecycle.get_run(run=story.facts["release"])
    split = output(run, "split")["split"]
    wanted: set[str] = set()
    cursor = None
    while True:
        page = story.client.training.list_split_rows(split=split, part="future", limit=500, cursor=cursor)
        wanted.update(page.items)
        cursor = page.next
        if cursor is None:
            break
    yield from (person for person in customers() if person[KEY] in wanted)


def _shift(person: dict[str, Any]) -> dict[str, Any]:
    return person | {
        "Contract": "Month-to-month",
        "MonthlyCharges": round(person["MonthlyCharges"] * _RAISE + 10, 2),
        "tenure": max(1, person["tenure"] // 3),
    }


def _send(story: Story, line: Line, waves: list[tuple[str, list[dict[str, Any]]]]) -> None:
    total, sent = sum(len(people) for _, people in waves), 0
    for wave, people in waves:
        for labels in _wave(story, wave, people):
            line.fraction, line.note = (sent + labels) / total, f"{sent + labels} of {total} requests, {wave}"
        sent += len(people)


def _wave(story: Story, wave: str, people: list[dict[str, Any]]) -> Iterator[int]:
    """Send a wave and then its truth, once in a telling; yield how many are sent. A request sent twice has the same id."""
    if story.has_done(wave):
        return
    labels = []
    for number, person in enumerate(people):
        name = f"{story.key(wave)}-{number}"
        _score(story, person, name)
        labels.append({"request_id": name, "label": person[TARGET], "key": person[KEY]})
        yield len(labels)
    story.client.monitoring.send_feedback(endpoint=MODEL, labels=labels)
    story.note_done(wave)


def _score(story: Story, person: dict[str, Any], name: str) -> Any:
    row = {k: v for k, v in person.items() if k not in (KEY, TARGET)}
    return until(lambda: story.client.predict(MODEL, [row], request_id=name), what="a prediction")[0]


def _alert(story: Story) -> Any:
    """Return an alert of this telling, or an older one that still stands; records reach the lake a moment after the reply."""
    story.client.monitoring.evaluate_now(endpoint=MODEL)
    found = story.client.monitoring.list_alerts(endpoint=MODEL, limit=50).items
    told = [a for a in found if a.metric.startswith(("drift", "quality"))]
    return next((a for a in told if a.fired_at > _began(story) or a.state != "RESOLVED"), None)


def _began(story: Story) -> datetime:
    """Return when this telling began, by the clock of the platform; the same after a crash."""
    return story.client.lifecycle.get_run(run=story.facts["release"]).started_at


def retrain(story: Story, line: Line) -> str:
    """Follow the retraining that the alert started, through canary and decision."""
    alert = story.facts["alert"]
    if alert.fired_at <= _began(story):  # it stands since an earlier telling, so it fires no second time
        _start(story, f"alert {alert.name!r} still stands")
    elif _rests(story, alert):
        _start(story, f"alert {alert.name!r} fired while the trigger rests after the last retraining")
    run_id = until(lambda: _triggered(story), what="the retraining", limit_s=60)
    run = follow_run(story, run_id, line, "canary")
    version, people = output(run, "register")["model_version"], list(_future(story))
    line.note = f"version {version} gets its share of the traffic"
    run = _feed_canary(story, run_id, people, line)
    decision = output(run, "decide")
    gathered = output(run, "gather")
    return f"{DATASET} v{gathered['dataset_version']} -> {MODEL} version {version}: {decision['decision']} ({decision['reason']})"


def _start(story: Story, cause: str) -> None:
    story.client.lifecycle.start_run(pipeline=RETRAIN, key=story.key("retrain"), cause=cause)


def _rests(story: Story, alert: Any) -> bool:
    """Tell whether the trigger does not start anything yet, because an earlier telling has just retrained the model."""
    runs = story.client.lifecycle.list_runs(pipeline=RETRAIN, limit=50).items
    ended = [run.ended_at for run in runs if run.started_at <= _began(story) and run.ended_at is not None]
    return bool(ended) and alert.fired_at < max(ended) + timedelta(seconds=_REST_S)


def _triggered(story: Story) -> str | None:
    runs = story.client.lifecycle.list_runs(pipeline=RETRAIN, limit=50).items
    mine = [run.id for run in runs if run.started_at > _began(story)]
    return mine[-1] if mine else None  # the first of this telling


def _feed_canary(story: Story, run_id: str, people: list[dict[str, Any]], line: Line) -> Any:
    """Send traffic with its truth until the canary is decided; nobody else calls the demo's endpoint."""
    for number in range(1, 40):
        run = story.client.lifecycle.get_run(run=run_id)
        decide = next(s for s in run.steps if s.name == "decide")
        line.fraction, line.note = decide.fraction, decide.note
        if decide.state == "SUCCEEDED":
            return run
        if run.state != "RUNNING":
            raise Failed(f"the retraining {run.state.lower()}: {run.error}")
        batch = [people[(number * _CANARY_ROUND + i) % len(people)] for i in range(_CANARY_ROUND)]
        deque(_wave(story, f"canary{number}", batch), maxlen=0)
    return follow_run(story, run_id, line, "decide")
