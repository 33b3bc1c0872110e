"""A learner at work: it answers each row, is measured by that, and then learns the row."""

from __future__ import annotations

import json
import math
import pickle
import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from hashlib import blake2b, sha256
from importlib.metadata import version
from typing import Any

from aimass.kernel.errors import Failed
from aimass.training.children.bandits import Bandit
from aimass.training.children.onlinemodels import detector_of, learn_again, new_model
from aimass.training.children.partial import Partial
from aimass.training.children.served import Encoder, answers
from aimass.training.domain.learners import rows_of_a_point
from aimass.training.errors import NotFinite
from aimass.training.online import MODELS

FORMAT = 1
MOST_SEEN = 50_000
MOST_CLASSES = 100
MOST_DRIFTS = 500
MOST_NOTES = 20
MB = 2**20


class Online:
    """A learner: its model, what watches it, the rows that it is judged on, and those that it keeps to learn again.

    Parameters
    ----------
    spec
        ``model``, ``params``, ``detector``, ``replay`` (rows), ``replay_times`` (how many of them are learned again with each
        new one), ``window`` (rows), ``seed`` and ``memory_mb``.
    columns
        ``name``, ``type`` and ``categories`` of each input.
    classes
        Those that are known before the first row.
    """

    _elsewhere = 0  # rows that another one had learned, whose knowledge this one began with

    def __init__(self, spec: Mapping[str, Any], columns: list[dict[str, Any]], classes: Sequence[str] = ()) -> None:
        self.spec = dict(spec)
        self.columns = columns
        self.model: Any = new_model(spec, columns, classes)
        self.rng = random.Random(spec["seed"])  # noqa: S311 no secret
        self.rows = 0
        self.classes: list[str] = list(classes)
        self.points: list[tuple[int, dict[str, float]]] = []
        self.counted: Counter[str] = Counter()
        self.drifts: list[int] = []
        self.notes: list[str] = []
        self._detector = detector_of(spec["detector"])
        self._window: deque[list[Any]] = deque(maxlen=spec["window"])
        self._replay: list[tuple[dict[Any, Any], Any, str | None]] = []
        self._seen: dict[bytes, None] = {}
        self._totals: Counter[str] = Counter()
        self._of_class: Counter[str] = Counter()
        self._last: str | None = None
        self._newest: Any = None
        self._prepare()

    def begin_with(self, other: Online) -> None:
        """Take over what another learner knows and the rows that it keeps to learn again; what it was measured by stays its own."""
        self.model, self.classes, self.columns = other.model, list(other.classes), other.columns
        self._replay, self._elsewhere = other._replay[: self.spec["replay"]], other.rows + other._elsewhere
        self._prepare()

    def kept_rows(self) -> list[tuple[dict[Any, Any], Any]]:
        """Return features and label of the rows that it keeps: those that it learns again, else the newest."""
        if self._replay:
            return [(features, label) for features, label, _ in self._replay]
        named = [(dict(zip(self._names, one[5], strict=True)), one[0]) for one in self._window]
        return [(self._encoder.encode(row), label) for row, label in named]

    def learn_again(self, features: dict[Any, Any], label: Any) -> None:
        """Learn a row that was learned before; nothing is measured by it."""
        learn_again(self.model, features, label)

    def features_of(self, row: Mapping[str, Any]) -> dict[Any, Any]:
        """Return what the model sees of a row."""
        return self._encoder.encode(row)

    def _prepare(self) -> None:
        model = MODELS[self.spec["model"]]
        self._encoder = Encoder(self.columns, one_hot=model.one_hot, is_joined=model.is_joined)
        self._names = [column["name"] for column in self.columns]
        if isinstance(self.model, dict):  # as it was kept
            self.model = self._restored(self.model)

    def _restored(self, kept: dict[str, Any]) -> Any:
        return Partial(self.spec, self.columns, kept=kept)

    def take(self, row: Mapping[str, Any], label: Any, key: Any = None, time: Any = None) -> bool:
        """Answer a row, measure the answer, and learn the row; return whether it was learned.

        A row is counted apart, and not learned, without a label, without anything in it, when its key was met before, or
        with a class too many.
        """
        reason, features = self._looked_at(row, label, key)
        if reason or label is None:
            self.counted[reason] += 1
            return False
        self._timed(time)
        self._meet(label)
        whose = None if key is None else str(key)
        self._measure(row, features, label, whose)
        self.model.learn_one(features, label)
        self._again(features, label, whose)
        self.rows += 1
        self._count(label)
        if self.rows % rows_of_a_point(self.spec["window"]) == 0:
            self.points.append((self.rows, self.metrics()))
        return True

    def _meet(self, label: Any) -> None:
        if label not in self.classes:
            self.classes.append(label)
            self.note(f"class {label!r} is new after {self.rows} rows")

    def _count(self, label: Any) -> None:
        self._of_class[label] += 1
        self._last = label

    def _refused(self, label: Any) -> str:
        """Return why a label is not learned; empty where it is."""
        return "class_too_many" if label not in self.classes and len(self.classes) >= MOST_CLASSES else ""

    def note(self, sentence: str) -> None:
        """Keep a sentence for people; the newest ones stay."""
        self.notes = [*self.notes, sentence][-MOST_NOTES:]

    def _looked_at(self, row: Mapping[str, Any], label: Any, key: Any) -> tuple[str, dict[Any, Any]]:
        if label is None:
            return "unlabelled", {}
        name = None if key is None else _mark(str(key))
        if name is not None and name in self._seen:
            return "duplicate", {}
        faults: list[str] = []
        features = self._encoder.encode(row, faults)
        self.counted.update(faults)
        if all(row.get(one) is None for one in self._names):
            return "empty", {}
        refused = self._refused(label)
        if refused:
            return refused, {}
        if name is not None:
            self._seen[name] = None
            if len(self._seen) > MOST_SEEN:
                del self._seen[next(iter(self._seen))]
        return "", features

    def _timed(self, time: Any) -> None:
        if time is None:
            return
        if self._newest is not None and time < self._newest:
            self.counted["late"] += 1
        else:
            self._newest = time

    def _measure(self, row: Mapping[str, Any], features: dict[Any, Any], label: Any, whose: str | None) -> None:
        """Compare what the model and two simple guesses say with the truth; a model that knows nothing says nothing."""
        said = self.model.predict_proba_one(features)
        if not said:
            return
        if any(math.isnan(one) for one in said.values()):
            raise self._lost()
        given = answers(self.model, features, self.classes)
        hit = self.classes[given.index(max(given))] == label
        frequent = max(self._of_class, key=lambda name: self._of_class[name], default=None) == label
        entry = [label, dict(zip(self.classes, given, strict=True)), hit, frequent, self._last == label]
        self._window.append([*entry, [row.get(name) for name in self._names], whose])
        self._totals.update({"rows": 1, "hits": hit, "frequent": frequent, "last": self._last == label})
        self._watch(0.0 if hit else 1.0)

    def _lost(self) -> NotFinite:
        return NotFinite(
            f"the model answers with no number after {self.rows} rows",
            field="model",
            value=self.spec["model"],
            hint="lower the learning rate, or roll the learner back to a snapshot",
        )

    def _watch(self, error: float) -> None:
        """Tell the detector of an error between 0 and 1; errors that become fewer are no drift."""
        if self._detector is None:
            return
        before = getattr(self._detector, "estimation", 0.0)
        self._detector.update(error)
        is_worse = getattr(self._detector, "estimation", 1.0) > before
        if self._detector.drift_detected and is_worse and len(self.drifts) < MOST_DRIFTS:
            self.drifts.append(self.rows)

    def _again(self, features: dict[Any, Any], label: Any, whose: str | None) -> None:
        """Learn some rows of the past once more, and keep this one with the chance that every row has."""
        size = int(self.spec["replay"])
        if not size:
            return
        for _ in range(self.spec.get("replay_times", 1) if self._replay else 0):
            past, its_label, _ = self._replay[self.rng.randrange(len(self._replay))]
            self.learn_again(past, its_label)
        if len(self._replay) < size:
            self._replay.append((features, label, whose))
        else:
            place = self.rng.randrange(self.rows + self._elsewhere + 1)
            if place < size:
                self._replay[place] = (features, label, whose)

    def metrics(self) -> dict[str, float]:
        """Return the prequential measures: of the window, and in total beside what simple guesses reach."""
        if not self._window:
            return {}
        total, count = self._totals["rows"], len(self._window)
        hits, frequent, last = (sum(one[place] for one in self._window) for place in (2, 3, 4))
        found = {"accuracy": hits / count, "majority": frequent / count, "last_class": last / count}
        found |= {"accuracy_total": self._totals["hits"] / total, "majority_total": self._totals["frequent"] / total}
        return found | {"last_class_total": self._totals["last"] / total}

    def window(self) -> list[list[Any]]:
        """Return the newest rows: label, probabilities by class before it was learned, ..., values of the inputs, and key."""
        return list(self._window)

    def forget(self, keys: frozenset[str]) -> int:
        """Let go of the rows that some keys name, as far as rows are kept; return how many these were."""
        before = len(self._window) + len(self._replay) + len(self._seen)
        self._window = deque((one for one in self._window if one[6] not in keys), maxlen=self._window.maxlen)
        self._replay = [one for one in self._replay if one[2] not in keys]
        for key in keys:
            self._seen.pop(_mark(key), None)
        return before - len(self._window) - len(self._replay) - len(self._seen)

    def answer(self, row: Mapping[str, Any], classes: list[str]) -> Any:
        """Return the probability of each class, or a number."""
        return answers(self.model, self._encoder.encode(row), classes)

    def pack(self, cursor: Mapping[str, Any]) -> bytes:
        """Return everything that the learner is, and where it stands in the data, as one file: a line of JSON, then the rest.

        What is kept to learn again is given up first when there is too little memory.
        """
        limit = int(self.spec["memory_mb"] * MB)
        body = self._body()
        while len(body) > limit and self._replay:
            self._replay = self._replay[: len(self._replay) // 2]
            self.spec["replay"] = len(self._replay)
            self.note(f"only {len(self._replay)} rows are kept to learn again: there is no memory for more")
            body = self._body()
        if len(body) > limit:
            raise Failed(
                f"what the learner keeps takes {len(body) / MB:.1f} MB",
                field="memory_mb",
                value=round(len(body) / MB, 1),
                allowed=f"at most {self.spec['memory_mb']} MB",
                hint="raise memory_mb, or create a learner with fewer or flatter trees or a smaller window",
            )
        head = {"format": FORMAT, "river": version("river"), "scikit-learn": version("scikit-learn")}
        head |= {"sha256": sha256(body).hexdigest(), "cursor": dict(cursor)}
        return json.dumps(head).encode() + b"\n" + body

    def _body(self) -> bytes:
        kept = {name: value for name, value in vars(self).items() if name not in ("_encoder", "_names", "_window")}
        kept["_window"] = list(self._window)
        if isinstance(self.model, Partial | Bandit):
            kept["model"] = self.model.kept()
        return pickle.dumps(kept, protocol=5)

    def packed_model(self) -> bytes:
        """Return the model alone."""
        return pickle.dumps(self.model, protocol=5)


def _mark(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=8).digest()
