"""What happened, in sentences: each kind of fact that a person wants to hear of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Say = Callable[..., str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One event with names instead of ids."""

    who: str
    what: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def of(self, name: str) -> Any:
        """Return one value of the event, a dash where it has none."""
        value = self.data.get(name)
        return "–" if value in (None, "", []) else value

    def count(self, name: str) -> str:
        """Return a number of the event as people write it."""
        value = self.of(name)
        return f"{value:,}" if isinstance(value, int) else str(value)


def _nothing(say: Say, fact: Fact) -> str:
    del say, fact
    return ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """How a kind of fact is told: icon, tone, the words, and a second line where there is more to say."""

    icon: str
    tone: str
    words: Callable[[Say, Fact], str]
    more: Callable[[Say, Fact], str] = _nothing


def _score(say: Say, fact: Fact) -> str:
    """Return how good a run was."""
    del say
    found = fact.data.get("metrics") or fact.data
    recipe = fact.data.get("recipe") or ""
    if "roc_auc" in found:
        return f"{recipe} ROC AUC {found['roc_auc']:.4f}".strip()
    return f"{recipe} RMSE {found['rmse']:.5g}".strip() if "rmse" in found else ""


def _quarantine(say: Say, fact: Fact) -> str:
    refused = fact.data.get("quarantined")
    return say("%(n)s rows are in quarantine", n=refused) if refused else ""


def _metric(say: Say, fact: Fact) -> str:
    """Return what kind of thing an alert measures."""
    metric = str(fact.of("metric"))
    known = {"data": say("odd values"), "drift": say("drift"), "quality": say("live quality"), "series": say("traffic")}
    return known.get(metric.partition(".")[0].partition(":")[0], metric)


def _weights(say: Say, fact: Fact) -> str:
    del say
    return ", ".join(f"{name} {weight} %" for name, weight in (fact.data.get("weights") or {}).items())


def _measured(say: Say, fact: Fact) -> str:
    value, limit = fact.data.get("value"), fact.data.get("threshold")
    features = ", ".join(map(str, (fact.data.get("features") or [])[:3]))
    if value is None or limit is None:
        return features
    return say("%(value)s, the limit is %(limit)s", value=f"{value:.3g}", limit=f"{limit:.3g}") + (
        f": {features}" if features else ""
    )


def _data() -> dict[str, Sentence]:
    return {
        "lake.dataset.created": Sentence(
            "database", "mute", lambda say, f: say("%(who)s made the dataset %(what)s", who=f.who, what=f.what)
        ),
        "lake.dataset.deleted": Sentence(
            "trash-2", "warn", lambda say, f: say("%(who)s deleted the dataset %(what)s", who=f.who, what=f.what)
        ),
        "lake.dataset.restored": Sentence(
            "undo-2", "mute", lambda say, f: say("%(who)s restored the dataset %(what)s", who=f.who, what=f.what)
        ),
        "lake.version.created": Sentence(
            "database",
            "ok",
            lambda say, f: say(
                "%(what)s has version %(number)s with %(rows)s rows",
                what=f.what,
                number=f.of("number"),
                rows=f.count("rows"),
            ),
            _quarantine,
        ),
        "lake.quality.failed": Sentence(
            "triangle-alert", "bad", lambda say, f: say("%(what)s broke a rule of quality", what=f.what)
        ),
        "lake.subject.erased": Sentence(
            "eraser", "warn", lambda say, f: say("%(who)s erased a person from the data", who=f.who)
        ),
        "collector.collection.failed": Sentence(
            "triangle-alert", "bad", lambda say, f: say("Collecting %(what)s failed", what=f.what)
        ),
    }


def _training() -> dict[str, Sentence]:
    return {
        "training.split.ready": Sentence(
            "split", "mute", lambda say, f: say("%(who)s split the data for training and test", who=f.who)
        ),
        "training.run.finished": Sentence(
            "flask-conical", "ok", lambda say, f: say("The run %(what)s is finished", what=f.what), _score
        ),
        "training.run.failed": Sentence(
            "circle-alert", "bad", lambda say, f: say("The run %(what)s failed", what=f.what)
        ),
        "training.run.killed": Sentence(
            "circle-slash", "warn", lambda say, f: say("The run %(what)s was stopped", what=f.what)
        ),
        "training.evaluation.ready": Sentence(
            "clipboard-check",
            "ok",
            lambda say, f: say("%(what)s was judged on data it had not seen", what=f.what),
            _score,
        ),
        "cluster.job.failed": Sentence(
            "circle-alert", "bad", lambda say, f: say("The job %(what)s failed", what=f.what)
        ),
    }


def _models() -> dict[str, Sentence]:
    return {
        "models.version.registered": Sentence(
            "box", "ok", lambda say, f: say("%(who)s registered %(what)s", who=f.who, what=f.what)
        ),
        "models.version.approved": Sentence(
            "badge-check", "ok", lambda say, f: say("%(who)s approved %(what)s", who=f.who, what=f.what)
        ),
        "models.version.rejected": Sentence(
            "badge-x", "warn", lambda say, f: say("%(who)s rejected %(what)s", who=f.who, what=f.what)
        ),
        "models.version.quarantined": Sentence(
            "shield-alert", "bad", lambda say, f: say("%(what)s did not pass its review", what=f.what)
        ),
        "models.alias.changed": Sentence(
            "bookmark",
            "ok",
            lambda say, f: say(
                "%(who)s set %(alias)s of %(what)s to version %(number)s",
                who=f.who,
                what=f.what,
                alias=f.of("alias"),
                number=f.of("number"),
            ),
        ),
    }


def _services() -> dict[str, Sentence]:
    return {
        "serving.endpoint.created": Sentence(
            "rocket", "mute", lambda say, f: say("%(who)s opened the endpoint %(what)s", who=f.who, what=f.what)
        ),
        "serving.endpoint.deleted": Sentence(
            "trash-2", "warn", lambda say, f: say("%(who)s closed the endpoint %(what)s", who=f.who, what=f.what)
        ),
        "serving.deployment.ready": Sentence(
            "rocket",
            "ok",
            lambda say, f: say(
                "%(what)s answers with %(model)s version %(version)s",
                what=f.what,
                model=f.of("model"),
                version=f.of("version"),
            ),
        ),
        "serving.deployment.failed": Sentence(
            "circle-alert", "bad", lambda say, f: say("A deployment on %(what)s failed", what=f.what)
        ),
        "serving.traffic.changed": Sentence(
            "shuffle",
            "mute",
            lambda say, f: say("%(who)s changed the traffic of %(what)s", who=f.who, what=f.what),
            _weights,
        ),
        "serving.rolled_back": Sentence(
            "undo-2", "warn", lambda say, f: say("%(who)s rolled %(what)s back", who=f.who, what=f.what)
        ),
        "monitoring.alert.fired": Sentence(
            "bell-ring",
            "bad",
            lambda say, f: say("Alert on %(what)s: %(metric)s", what=f.what, metric=_metric(say, f)),
            _measured,
        ),
        "monitoring.alert.acked": Sentence(
            "bell", "warn", lambda say, f: say("%(who)s saw the alert on %(what)s", who=f.who, what=f.what)
        ),
        "monitoring.alert.resolved": Sentence(
            "bell-off", "ok", lambda say, f: say("The alert on %(what)s is over", what=f.what)
        ),
    }


def _work() -> dict[str, Sentence]:
    return {
        "lifecycle.run.started": Sentence(
            "workflow", "mute", lambda say, f: say("%(who)s started the pipeline %(what)s", who=f.who, what=f.what)
        ),
        "lifecycle.run.succeeded": Sentence(
            "workflow", "ok", lambda say, f: say("The pipeline %(what)s came to its end", what=f.what)
        ),
        "lifecycle.run.failed": Sentence(
            "workflow", "bad", lambda say, f: say("The pipeline %(what)s failed", what=f.what)
        ),
        "access.workspace.created": Sentence(
            "folder-plus", "mute", lambda say, f: say("%(who)s made this workspace", who=f.who)
        ),
        "access.grant.given": Sentence(
            "user-plus",
            "mute",
            lambda say, f: say("%(who)s gave %(what)s the role %(role)s", who=f.who, what=f.what, role=f.of("role")),
        ),
        "access.key.created": Sentence("key-round", "mute", lambda say, f: say("%(who)s made an API key", who=f.who)),
        "access.key.changed": Sentence(
            "key-round", "mute", lambda say, f: say("%(who)s changed the daily quota of an API key", who=f.who)
        ),
        "access.key.revoked": Sentence(
            "key-round", "warn", lambda say, f: say("%(who)s stopped an API key", who=f.who)
        ),
        "access.approval.requested": Sentence(
            "stamp", "warn", lambda say, f: say("%(who)s asks for an approval of %(what)s", who=f.who, what=f.what)
        ),
        "access.approval.decided": Sentence(
            "stamp", "ok", lambda say, f: say("%(who)s decided about %(what)s", who=f.who, what=f.what)
        ),
        "messaging.message.dead": Sentence(
            "mail-x", "bad", lambda say, f: say("A message of %(what)s could not be delivered", what=f.what)
        ),
    }


SENTENCES: dict[str, Sentence] = _data() | _training() | _models() | _services() | _work()
