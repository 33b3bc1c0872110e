"""What the chapters of the demo share: clients, the telling's own state, and waiting with progress."""

from __future__ import annotations

import csv
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import orjson

from aimass.bootstrap.demo.screen import Line
from aimass.bootstrap.settings import DEFAULT_PORT, PlatformSettings
from aimass.bootstrap.supervisor import Supervisor
from aimass.client import Client
from aimass.kernel.errors import Failed, Unavailable

T = TypeVar("T")
WORKSPACE = "demo"
DATASET = "telco-churn"
MODEL = "churn"
TARGET, KEY = "Churn", "customerID"
POLL_S = 0.2
LIMIT_S = 600.0
_BAD = frozenset({"FAILED", "CANCELLED"})


@dataclass(slots=True)
class Story:
    """What the chapters hand on.

    Attributes
    ----------
    settings
        How the platform runs.
    administrator
        Name and password of the administrator, when this telling created him.
    facts
        What chapters found out, for later ones and for the summary.
    """

    settings: PlatformSettings
    supervisor: Supervisor | None = None
    administrator: dict[str, str] | None = None
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    _client: Client | None = None

    @property
    def url(self) -> str:
        """The address of the platform."""
        return self.settings.url

    @property
    def keys_file(self) -> Path:
        """Where the demo keeps its own keys, readable by the owner alone."""
        return self.settings.data_dir / "keys" / "demo.json"

    @property
    def keys(self) -> dict[str, str]:
        """The keys of the demo's own accounts."""
        return orjson.loads(self.keys_file.read_bytes())

    @property
    def client(self) -> Client:
        """A client of the demo's own service account."""
        if self._client is None:
            self._client = Client(self.url, key=self.keys["program"], workspace=WORKSPACE)
        return self._client

    @property
    def telling(self) -> int:
        """The number of this telling: the same after a crash, a new one after the end."""
        return int(self._state().get("telling", 1))

    def _state(self) -> dict[str, Any]:
        path = self._state_file
        return orjson.loads(path.read_bytes()) if path.exists() else {}

    @property
    def _state_file(self) -> Path:
        return self.settings.data_dir / "run" / "demo.json"

    def key(self, what: str) -> str:
        """Return an idempotency key of this telling."""
        return f"demo-{self.telling}-{what}"

    def finish(self) -> None:
        """Note that this telling came to its end, so that the next one starts anew."""
        _write(self._state_file, {"telling": self.telling + 1})

    def has_done(self, what: str) -> bool:
        """Tell whether this telling noted that something is done."""
        return what in self._state().get("done", ())

    def note_done(self, what: str) -> None:
        """Note that something is done, so that it is not done again after a crash."""
        _write(self._state_file, {"telling": self.telling, "done": [*self._state().get("done", ()), what]})

    def keep_keys(self, keys: dict[str, str]) -> None:
        """Keep the demo's own keys."""
        _write(self.keys_file, keys)

    def places(self) -> list[tuple[str, str]]:
        """Return where to look."""
        base = f"/{WORKSPACE}"
        return [
            ("Overview", "/"),
            ("Data", f"{base}/data"),
            ("Model", f"{base}/models/{MODEL}"),
            ("Pipelines", f"{base}/work/pipelines"),
            ("Service", f"{base}/services/{MODEL}"),
        ]

    def commands(self) -> list[str]:
        """Return three commands to try next, with the key that the demo keeps."""
        url = "" if self.settings.port == DEFAULT_PORT else f" --url {self.url}"
        key = f'--key "$(python3 -c \'import json; print(json.load(open("{self.keys_file}"))["program"])\')"'
        aimass = _program()
        return [
            f"{aimass} login{url} --workspace {WORKSPACE} {key}",
            f"{aimass} jobs list",
            f"{aimass} services history {MODEL}",
        ]


def _program() -> str:
    """Return how this very command is called: by its name where the path leads to it, else from where it lies."""
    here = Path(sys.executable).with_name("aimass")
    if shutil.which("aimass") == str(here):
        return "aimass"
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here)


def _write(path: Path, document: dict[str, Any]) -> None:
    """Write a file that only the owner may read; a crash leaves the old one or the new one."""
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(orjson.dumps(document))
    new.replace(path)


def churn_file() -> Path:
    """Return the churn file that the package ships."""
    return Path(str(files("aimass.bootstrap").joinpath("data", "telco-churn.csv")))


def customers() -> Iterator[dict[str, Any]]:
    """Yield the customers of the file as a program would send them: numbers as numbers, blank as missing."""
    with churn_file().open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield row | {
                "SeniorCitizen": int(row["SeniorCitizen"]),
                "tenure": int(row["tenure"]),
                "MonthlyCharges": float(row["MonthlyCharges"]),
                "TotalCharges": float(row["TotalCharges"]) if row["TotalCharges"].strip() else None,
            }


def until(check: Callable[[], T | None], *, what: str, limit_s: float = LIMIT_S) -> T:
    """Wait until a check finds something; the platform may be away for a moment."""
    end = time.monotonic() + limit_s
    while True:
        try:
            found = check()
        except Unavailable:
            found = None
        if found is not None:
            return found
        if time.monotonic() > end:
            raise Failed(f"{what} did not happen within {limit_s:.0f} s", hint="aimass jobs list; aimass doctor")
        time.sleep(POLL_S)


def follow_run(story: Story, run_id: str, line: Line, last: str) -> Any:
    """Wait until a step of a pipeline run has succeeded, with its progress on the line; return the run."""

    def look() -> Any:
        run = story.client.lifecycle.get_run(run=run_id)
        names = [step.name for step in run.steps]
        until_last = run.steps[: names.index(last) + 1]
        now = next((s for s in until_last if s.state in ("RUNNING", "FAILED")), None)
        line.fraction = sum(s.fraction for s in until_last) / len(until_last)
        line.note = f"{now.title}: {now.note}" if now else line.note
        if run.state in _BAD:
            failed = next((s for s in run.steps if s.state == "FAILED"), None)
            why = f"{failed.title}: {failed.error}" if failed else run.error
            raise Failed(why or f"the run was {run.state.lower()}", hint=failed.hint if failed else "")
        return run if until_last[-1].state == "SUCCEEDED" else None

    return until(look, what=f"step {last!r}")


def output(run: Any, step: str) -> dict[str, Any]:
    """Return what a step of a run found out."""
    return next(s.output for s in run.steps if s.name == step)
