"""The command line in real processes, against a real platform: what a person and what a script do with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fixtures.backups import until
from tests.fixtures.engines import needs_bubblewrap
from tests.fixtures.platform import RunningPlatform, free_port, running_platform

pytestmark = pytest.mark.timeout(600)


@dataclass
class Terminal:
    """A home folder, and the commands that are run in it."""

    home: Path
    environment: dict[str, str]

    def run(self, *words: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "aimass", *words],
            env={**self.environment, **environment},
            cwd=self.home,
            input=text,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def done(self, *words: str, text: str = "") -> str:
        """Run what has to succeed, and return what it printed."""
        done = self.run(*words, text=text)
        assert done.returncode == 0, (words, done.stderr)
        assert done.stderr == ""
        return done.stdout

    def read(self, *words: str, text: str = "") -> Any:
        """Run what has to succeed, and read the JSON that it printed."""
        return json.loads(self.done(*words, "--json", text=text))

    def refused(self, *words: str, code: int = 1, **environment: str) -> str:
        """Run what has to fail with this code, and return the one thing that it complained of."""
        done = self.run(*words, **environment)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        assert sum(line.lower().startswith("error:") for line in done.stderr.splitlines()) == 1, done.stderr
        return done.stderr


@pytest.fixture(scope="module")
def platform() -> Iterator[RunningPlatform]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    with running_platform(folder / "d", {"AIMASS_ACCESS_DEVICE_INTERVAL_S": "1"}) as platform:
        yield platform
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def terminal(platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """Signed in by password, with a workspace and a dataset."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIMASS_")}
    terminal = Terminal(home, {**kept, "HOME": str(home)})
    config = home / ".config" / "aimass" / "client.json"
    config.parent.mkdir(parents=True)
    config.write_text(
        json.dumps({"url": platform.url, "key": "ais_over", "workspace": "old"})
    )  # of a session that ended
    words = ["login", "--url", platform.url, "--name", "admin", "--workspace", "lab"]
    told = terminal.read(*words, text=f"{platform.password}\n")
    assert (told["name"], "aimass workspaces create lab" in told["note"]) == ("admin", True)
    assert config.stat().st_mode & 0o077 == 0
    terminal.done("workspaces", "create", "lab", "--review", "auto")
    rows = [f"c{n},{('basic', 'plus')[n % 2]},{20 + n % 9}.5,{'Yes' if n % 2 else 'No'}" for n in range(200)]
    (home / "rows.csv").write_text("\n".join(["id,plan,paid,left", *rows]) + "\n")
    version = terminal.read("data", "collect", "rows.csv", "--name", "small", "--key", "id", "--type", "paid=float")
    assert (version["rows"], version["quarantined"]) == (200, 0)
    return terminal


# -- who, and what there is


def test_the_one_who_signed_in_is_shown_to_people_and_to_programs(terminal: Terminal) -> None:
    assert "admin" in terminal.done("whoami")
    assert terminal.read("whoami")["administrator"] is True


def test_data_is_listed_shown_and_asked(terminal: Terminal) -> None:
    assert "small" in terminal.done("data", "list")
    assert terminal.read("data", "show", "small")["keys"] == ["id"]
    assert terminal.read("data", "list")["items"][0]["rows"] == 200
    answer = terminal.read("data", "query", 'select count(*) as n from "small"')
    assert answer["rows"] == [[200]]


# -- from a split to an answer


def test_a_model_is_trained_reviewed_served_and_asked_by_commands(terminal: Terminal) -> None:
    split = terminal.read("train", "split", "--dataset", "small", "--target", "left", "--key-column", "id")
    assert (split["state"], sum(split["counts"].values()) > 0) == ("READY", True)
    words = ["train", "start", "--recipe", "logistic_regression", "--split", split["id"], "--folds", "2"]
    run = terminal.read(*words)
    assert (run["state"], run["metrics"] != {}) == ("FINISHED", True)
    evaluation = terminal.read("train", "evaluate", run["id"], "--part", "test")
    assert evaluation["metrics"]["roc_auc"] > 0.9
    assert terminal.read("train", "register", run["id"], "--model", "small")["number"] == 1
    assert terminal.read("models", "review", "1", "--model", "small")["state"] == "APPROVED"
    terminal.done("models", "alias", "champion", "--model", "small", "--number", "1")
    assert terminal.read("deploy", "small")["state"] == "READY"
    row = '{"plan": "plus", "paid": 21.5}'
    told = terminal.done("predict", "small", "--row", row)
    assert ("Yes" in told, "small/1" in told) == (True, True)
    answers = terminal.read("predict", "small", "--file", "-", text=f"{row}\n\n{row}\n")
    assert [answer["outputs"]["label"] for answer in answers] == ["Yes", "Yes"]
    assert terminal.read("predict", "small", "--request-id", "mine", text=row)[0]["request_id"] == "mine"
    keys = [key for key in terminal.read("keys", "list")["items"] if key["name"] == "aimass predict"]
    assert len(keys) == 1, "one key is made for the one who signed in, and used again"
    terminal.done("keys", "revoke", keys[0]["id"])
    until(lambda: terminal.run("predict", "small", "--row", row).returncode == 0)


def test_a_device_is_let_in_by_a_code_calls_models_and_keeps_itself_signed_in(
    terminal: Terminal, platform: RunningPlatform, tmp_path: Path
) -> None:
    other = Terminal(tmp_path, {**terminal.environment, "HOME": str(tmp_path)})
    words = [sys.executable, "-m", "aimass", "login", "--url", platform.url, "--workspace", "lab"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, env=other.environment, cwd=tmp_path, **pipes) as login:  # nobody can type a password
        try:
            told = login.stderr.readline() if login.stderr else ""
            code = told.partition("enter ")[2].partition(",")[0]
            assert terminal.read("devices", "look", "--user-code", code)["client"] == "aimass-cli"
            terminal.done("devices", "allow", "--user-code", code)
            said, complaint = login.communicate(timeout=120)
        finally:
            login.kill()
    assert (login.returncode, "signed in as 'admin'" in said) == (0, True), complaint
    file = tmp_path / ".config" / "aimass" / "client.json"
    assert file.stat().st_mode & 0o077 == 0
    assert "Yes" in other.done("predict", "small", "--row", '{"plan": "plus", "paid": 21.5}')
    for _ in range(3):  # several commands at once find that the token is over
        kept = json.loads(file.read_text())
        kept["device"]["expires_at"] = "2020-01-01T00:00:00.000000Z"
        file.write_text(json.dumps(kept))
        with ThreadPoolExecutor(4) as pool:
            assert [told.returncode for told in pool.map(lambda _: other.run("whoami"), range(4))] == [0] * 4
    assert file.stat().st_mode & 0o077 == 0
    (device,) = terminal.read("devices", "list")
    assert "signed out" in other.done("logout")
    assert terminal.read("devices", "list") == []
    assert "nobody is signed in" in other.refused("whoami")
    assert device["id"] in terminal.refused("devices", "end", device["id"])


@needs_bubblewrap
def test_a_recipe_of_ones_own_is_trained_from_its_file(terminal: Terminal, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/guides/own-recipe.md").read_text()
    file = tmp_path / "my_recipe.py"
    file.write_text(text.partition("```python\n")[2].partition("```")[0])
    words = ["--dataset", "small", "--target", "left", "--key-column", "id", "--folds", "2"]
    run = terminal.read("train", str(file), *words, "--param", "trees=12", "--name", "Mine")
    assert (run["state"], run["name"], run["recipe"]) == ("FINISHED", "Mine", "my_recipe.py")
    assert run["params"]["trees"] == 12
    assert run["metrics"]["cv_roc_auc"] > 0.9
    again = ["train", "file", str(file), "--split", run["split"]]
    assert "trees" in terminal.refused(*again, "--param", "trees=0")
    file.write_text("RECIPE = 1")
    assert "has no RECIPE" in terminal.refused(*again)


def test_a_training_that_fails_ends_the_command_with_its_reason(terminal: Terminal) -> None:
    splits = terminal.read("train", "splits")["items"]
    words = ["train", "start", "--recipe", "logistic_regression", "--split", splits[0]["id"]]
    assert "no_such" in terminal.refused(*words, "--params", '{"no_such": 1}')
    assert "plan2" in terminal.refused(*words, "--features", "plan2")


def test_a_job_is_listed_read_and_cancelled(terminal: Terminal) -> None:
    splits = terminal.read("train", "splits")["items"]
    words = ["train", "start", "--recipe", "random_forest", "--split", splits[0]["id"], "--folds", "20", "--no-wait"]
    job = terminal.read(*words, "--params", '{"trees": 2000}')["job"]
    assert job in terminal.done("jobs", "list")
    terminal.read("jobs", "cancel", job)
    assert terminal.read("jobs", "wait", job)["state"] == "CANCELLED"
    assert "CANCELLED" in terminal.refused("jobs", "cancel", job)
    fitted = terminal.read("jobs", "list", "--kind", "training.fit", "--state", "SUCCEEDED")["items"][0]["id"]
    assert "rows replayed" in terminal.done("jobs", "log", fitted)
    assert terminal.read("jobs", "log", fitted)["is_complete"] is True


def test_alerts_the_audit_log_and_a_backup(terminal: Terminal, platform: RunningPlatform) -> None:
    assert terminal.read("alerts", "list")["items"] == []
    assert terminal.read("audit", "verify")["ok"] is True
    made = terminal.read("backup", "kept", "--data-dir", str(platform.data_dir))
    assert (made["folder"], made["files"] > 0) == (str(terminal.home / "kept"), True)


# -- a workspace as YAML


def test_what_is_exported_is_applied_again_with_a_difference_that_is_shown_first(terminal: Terminal) -> None:
    text = terminal.done("export")
    documents = list(yaml.safe_load_all(text))
    assert terminal.read("export") == documents
    (terminal.home / "lab.yaml").write_text(text)
    assert {change["action"] for change in terminal.read("apply", "-f", "lab.yaml")} == {"none"}
    documents[0]["description"] = "谁离开了"
    documents.append({"kind": "dataset", "name": "another", "keys": ["id"]})
    (terminal.home / "new.yaml").write_text(yaml.safe_dump_all(documents, allow_unicode=True))
    shown = terminal.done("apply", "-f", "new.yaml", "--dry-run")
    assert "change  dataset small\n        -description: ''\n        +description: 谁离开了\n" in shown
    assert "create  dataset another\n        +keys:\n        +- id\n" in shown
    assert terminal.done("export") == text, "a dry run changes nothing"
    assert {change["action"] for change in terminal.read("apply", "-f", "new.yaml")} == {"change", "create", "none"}
    assert {change["action"] for change in terminal.read("apply", "-f", "new.yaml")} == {"none"}
    again = terminal.done("export")
    assert {change["action"] for change in terminal.read("apply", "-f", "-", text=again)} == {"none"}


def test_a_document_that_breaks_a_rule_is_refused_before_another_one_counts(terminal: Terminal) -> None:
    (terminal.home / "bad.yaml").write_text("kind: dataset\nname: half\n---\nkind: endpoint\nname: x\nnope: 1\n")
    assert "has no field 'nope'" in terminal.refused("apply", "-f", "bad.yaml")
    assert "half" not in terminal.done("data", "list")


# -- what is refused


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing"], "No such command 'nothing'"),
        (["data", "nothing"], "No such command 'nothing'"),
        (["data", "show"], "Missing argument"),
        (["data", "list", "--nope"], "No such option"),
        (["data", "list", "--limit", "x"], "not a valid integer"),
        (["jobs", "list", "--state", "SLEEPING"], "is not one of"),
        (["train", "start", "--recipe", "a", "--split", "b", "--params", "{"], "is no JSON"),
        (["train", "start", "--recipe", "a", "--split", "b", "--params", "@gone.json"], "cannot be read"),
        (["train", "gone.py", "--split", "b"], "does not exist"),
        (["train", "file", __file__], "name --split, or --dataset and --target"),
        (["train", "file", __file__, "--split", "b", "--param", "x"], "is no NAME=VALUE"),
        (["data", "collect", "gone.csv"], "does not exist"),
        (["apply", "-f", "gone.yaml"], "does not exist"),
        (["predict", "small", "--file", "gone.ndjson"], "does not exist"),
        (["predict", "small", "--row", "{a"], "is no JSON"),
        (["restore", "gone"], "does not exist"),
    ],
)
def test_a_wrong_command_is_an_error_of_usage(terminal: Terminal, words: list[str], told: str) -> None:
    assert told in terminal.refused(*words, code=2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["data", "show", "nothing"], "there is no dataset 'nothing'"),
        (["data", "list", "-w", "nowhere"], "there is no workspace 'nowhere'"),
        (["data", "create", "x", "-w", "nowhere"], "there is no workspace 'nowhere'"),
        (["data", "list", "--api-key", "aim_wrong"], "the API key is not known"),
        (["predict", "small", "--row", "{}", "--api-key", "aim_wrong"], "the API key is not known"),
        (["predict", "nothing", "--row", "{}"], "nothing"),
        (["data", "list", "--limit", "100000"], "limit"),
        (["jobs", "log", "nothing"], "there is no job 'nothing'"),
        (["jobs", "cancel", "nothing"], "there is no job 'nothing'"),
        (["login", "--url", "http://127.0.0.1:9"], "no platform answers"),
        (["login", "--name", "admin", "--url", "http://127.0.0.1:9"], "no platform answers"),
    ],
)
def test_what_the_platform_refuses_is_one_sentence(terminal: Terminal, words: list[str], told: str) -> None:
    assert told in terminal.refused(*words)


def test_a_lost_platform_is_said_with_a_way_out(terminal: Terminal) -> None:
    said = terminal.refused("data", "list", AIMASS_URL=f"http://127.0.0.1:{free_port()}")
    assert ("no platform answers" in said, "aimass up" in said) == (True, True)


def test_a_wrong_password_and_a_damaged_file_are_said(
    terminal: Terminal, platform: RunningPlatform, tmp_path: Path
) -> None:
    done = terminal.run("login", "--url", platform.url, "--name", "admin", text="wrong\n")
    assert (done.returncode, done.stderr.startswith("error: ")) == (1, True), done.stderr
    broken = tmp_path / "client.json"
    broken.write_text("{")
    assert "aimass login" in terminal.refused("data", "list", AIMASS_CONFIG=str(broken))


def test_a_viewer_hears_which_permission_is_missing(terminal: Terminal) -> None:
    terminal.done("accounts", "create", "eye", "--role", "viewer")
    key = terminal.read("keys", "create", "eye", "--service", "eye")["text"]
    assert terminal.run("data", "list", AIMASS_KEY=key).returncode == 0
    assert "lake.edit" in terminal.refused("data", "create", "mine", AIMASS_KEY=key)


def test_a_reader_that_goes_away_is_no_fault(terminal: Terminal) -> None:
    command = ["bash", "-c", f"{sys.executable} -m aimass recipes list --json | head -c 1"]
    done = subprocess.run(
        command, env=terminal.environment, cwd=terminal.home, capture_output=True, text=True, check=False
    )
    assert (len(done.stdout), done.stderr) == (1, "")
