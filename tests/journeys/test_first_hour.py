"""The commands of the tutorial, in their order and as they stand, on a new platform."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import pytest

from tests.fixtures.platform import running_platform
from tests.fixtures.tutorial import DOCS, Shell, commands_of

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def test_the_first_hour_works_as_it_is_written() -> None:
    commands = commands_of(DOCS / "tutorials" / "first-hour.md")
    assert len(commands) > 20
    with tempfile.TemporaryDirectory(prefix="am") as name, running_platform(Path(name) / "d") as platform:
        home, told, version = Path(name), "", ""
        shell = Shell(platform, home)
        for command in commands:
            told = shell.run(command.replace("--id ID", f"--id {version}"))
            if command.startswith("aimass data version"):
                version = re.findall(r"^id +(\S+)", told, re.MULTILINE)[0]
        assert version in told
        _move(shell)
        assert (home / "answers.txt").read_text().count("churn/1") == 300
        assert len(json.loads((home / "customers.json").read_text())["rows"]) == 300


def _move(shell: Shell) -> None:
    """The commands of the guide for those who come from elsewhere, on the endpoint of the first hour."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (DOCS / "guides" / "moving.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    told = shell.run("set -e\n" + "\nsleep 2\n".join(blocks).replace("http://127.0.0.1:8800", shell.platform.url))
    assert re.search(r'"predictions": ?\["(Yes|No)"\]', told), told
    assert '"probabilities"' in told
