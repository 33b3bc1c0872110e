"""Schemathesis, unmodified, over the whole REST API of a platform that has things in it: whatever is sent, no fault is answered."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from aimass import Client
from tests.clients.environments import python_of
from tests.fixtures.platform import RunningPlatform, running_platform

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

_EXAMPLES, _LIMIT_S = 20, 8 * 60
# the session that asks, the workspace in which everything happens, and words that everything holds
_ENDS_THE_RUN = r"sign-out|/access/password|/access/sessions|^/api/v1/workspaces/\{workspace\}$|/erasures"
_WRITES = ("POST", "PUT", "PATCH")
_GROUND: dict[str, object] = {
    "workspace": "lab",
    "dataset": "small",
    "model": "small",
    "endpoint": "small",
    "number": 1,
    "route": "prices",
    "upstream": "prices",
    "topic": "news",
}


def _fill(client: Client, folder: Path) -> str:
    """Give the names of which the requests speak something to stand for; return the id of a second person."""
    rows = [f"c{n},{('basic', 'plus')[n % 2]},{20 + n % 9}.5,{'Yes' if n % 2 else 'No'}" for n in range(240)]
    (folder / "small.csv").write_text("\n".join(["id,plan,paid,left", *rows]) + "\n")
    client.collect(folder / "small.csv", "small", keys=["id"])
    parameters = {"recipes": ["logistic_regression"], "folds": 2, "least_score": 0.5}
    client.release(dataset="small", target="left", model="small", endpoint="small", parameters=parameters)
    client.gateway.create_upstream(upstream="prices")
    client.gateway.create_route(route="prices", upstream="prices")
    client.messaging.create_topic(topic="news")
    link = client.access.invite_user(name="second", role="viewer")
    return client.access.accept_invitation(token=link.token, password="four small brown bears").id


def _settings(folder: Path, ground: dict[str, object]) -> Path:
    told = "\n".join(f'"path.{name}" = {json.dumps(value)}' for name, value in ground.items())
    path = folder / "schemathesis.toml"
    path.write_text(f"[parameters]\n{told}\n")
    return path


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[RunningPlatform, str]]:
    with tempfile.TemporaryDirectory(prefix="am") as name, running_platform(Path(name) / "d", {}) as platform:
        with platform.admin("lab") as admin:
            admin.access.create_workspace(name="lab", review="auto")
            second = _fill(admin, Path(name))
        # the first who asks waits for the document to be built; schemathesis would wait ten seconds and no longer
        urlopen(f"{platform.url}/openapi.json", timeout=120).close()
        yield platform, second


def _run(platform: RunningPlatform, token: str, settings: Path, methods: tuple[str, ...], phase: str) -> str:
    program = python_of("schemathesis").with_name("schemathesis")
    words = [str(program), "--config-file", str(settings), "run", f"{platform.url}/openapi.json"]
    words += ["--url", platform.url, "-H", f"Authorization: Bearer {token}", "--request-timeout", "60"]
    words += ["--checks", "not_a_server_error", "--phases", phase, "--max-examples", str(_EXAMPLES), "--seed", "7"]
    words += ["--generation-deterministic", "--suppress-health-check", "all", "--continue-on-failure"]
    words += ["--exclude-path-regex", _ENDS_THE_RUN, "--workers", "1", "--no-color"]
    words += [word for method in methods for word in ("--include-method", method)]
    done = subprocess.run(words, cwd=settings.parent, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    # errors stand at its head, sums at its end
    assert done.returncode == 0, done.stdout[:8000] + done.stdout[-2000:] + platform.log()[-4000:]
    return done.stdout


@pytest.mark.parametrize("phase", ["coverage", "fuzzing"])
@pytest.mark.parametrize("methods", [("GET",), _WRITES, ("DELETE",)], ids=["reads", "writes", "removals"])
def test_whatever_is_sent_to_the_api_no_fault_is_answered(
    stage: tuple[RunningPlatform, str], tmp_path: Path, methods: tuple[str, ...], phase: str
) -> None:
    platform, second = stage
    ground = {**({"workspace": "lab"} if methods == ("DELETE",) else _GROUND), "user": second}
    with platform.admin("lab") as admin:
        told = _run(platform, admin.transport.key, _settings(tmp_path, ground), methods, phase)
        assert admin.access.list_sessions()  # all of it was sent by somebody who may
    cases = re.search(r"(\d+) generated, (\d+) passed", told)
    assert cases is not None, told[-3000:]
    assert cases[1] == cases[2]
    assert int(cases[1]) > 100
