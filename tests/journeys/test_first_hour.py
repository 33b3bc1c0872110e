"""The commands of the tutorial, in their order and as they stand, on a new platform."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.fixtures.platform import running_platform

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
DOCS = Path(__file__).parents[2] / "docs"
TUTORIAL = DOCS / "tutorials" / "first-hour.md"


def test_the_first_hour_works_as_it_is_written() -> None:
    commands = re.findall(r"^    (\S.*)$", TUTORIAL.read_text("utf-8"), re.MULTILINE)
    assert len(commands) > 20
    with tempfile.TemporaryDirectory(prefix="am") as name, running_platform(Path(name) / "d") as platform:
        home = Path(name)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "HOME": str(home), "AIMASS_URL": platform.url}
        told, version = "", ""
        for command in commands:
            done = subprocess.run(
                ["bash", "-c", command.replace("--id ID", f"--id {version}")],
                env=env,
                cwd=home,
                input=f"{platform.password}\n",
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, ""), (command, done.stderr)
            told = done.stdout
            if command.startswith("aimass data version"):
                version = re.findall(r"^id +(\S+)", told, re.MULTILINE)[0]
        assert version in told
        _move(home, env, platform.url)
        assert (home / "answers.txt").read_text().count("churn/1") == 300
        assert len(json.loads((home / "customers.json").read_text())["rows"]) == 300


def _move(home: Path, env: dict[str, str], url: str) -> None:
    """The commands of the guide for those who come from elsewhere, on the endpoint of the first hour."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (DOCS / "guides" / "moving.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    program = "set -e\n" + "\nsleep 2\n".join(blocks).replace("http://127.0.0.1:8800", url)
    done = subprocess.run(
        ["bash", "-c", program], env=env, cwd=home, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r'"predictions": ?\["(Yes|No)"\]', done.stdout), done.stdout
    assert '"probabilities"' in done.stdout
