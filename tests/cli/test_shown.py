"""Every command that a page or the manual shows is there, with the options that it shows."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.test_tree import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
SHOWN = re.compile(r"(?<![\w./-])aimass ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)*)([^`\n]*)")
PLACES = [
    *sorted((ROOT / "src" / "aimass").glob("*/templates/**/*.html")),
    *sorted((ROOT / "src" / "aimass").glob("apps/*/templates/**/*.html")),
    *sorted((ROOT / "docs" / "guides").glob("*.md")),
    *sorted((ROOT / "docs" / "tutorials").glob("*.md")),
    ROOT / "README.md",
]
TOPS = {words.partition(" ")[0] for words in COMMANDS}
IS_CODE = re.compile(r'cli=|"aimass |^    aimass |`aimass ')


FENCED = re.compile(r"^```(?:sh|bash|console)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def lines(path: Path) -> list[str]:
    """The lines of a page; those of a fenced block stand indented, and a line that goes on in the next is one."""
    text = path.read_text()
    if path.suffix == ".md":
        text = FENCED.sub(lambda block: re.sub(r"^", "    ", block[1].replace("\\\n", " "), flags=re.MULTILINE), text)
    return text.splitlines()


def shown(path: Path) -> Iterator[tuple[str, str]]:
    """The words of each command, and what follows them."""
    for line in lines(path):
        if IS_CODE.search(line):
            yield from SHOWN.findall(line)


def command_of(words: str) -> str | None:
    """The command that the words begin with; a group alone is none."""
    parts = words.split()
    found = [" ".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((one for one in found if one in COMMANDS), None)


@pytest.mark.parametrize("path", PLACES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_that_is_shown_is_there(path: Path) -> None:
    for words, rest in shown(path):
        command = command_of(words)
        is_group = any(one.startswith(f"{words} ") for one in COMMANDS)
        assert command is not None or is_group, f"there is no 'aimass {words}'"
        if command is not None:
            options = {name for param in COMMANDS[command].params for name in (*param.opts, *param.secondary_opts)}
            used = set(re.findall(r"(?<=\s)--[a-z][a-z-]*", rest.partition("#")[0].partition("|")[0]))
            assert used <= {*options, "--help"}, f"'aimass {command}' has no {sorted(used - options)}"


@pytest.mark.parametrize(
    "path", [path for path in PLACES if path.suffix == ".md"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_whole_command_of_the_manual_is_understood(path: Path) -> None:
    for words, rest in whole(path):
        command = command_of(words)
        if command is None:
            continue
        said = shlex.split(f"{words.removeprefix(command)}{rest}")
        try:
            COMMANDS[command].make_context(command, said, resilient_parsing=False)
        except click.MissingParameter:
            continue  # the manual leaves out what it spoke of before
        except click.UsageError as reason:
            if isinstance(reason, click.BadParameter) and NO_FILE.search(reason.message):
                continue  # a file of the reader's
            pytest.fail(f"aimass {command} {said}: {reason.format_message()}")


NO_FILE = re.compile(r"does not exist|No such file")


def whole(path: Path) -> Iterator[tuple[str, str]]:
    """The commands that are written down to be typed: no placeholders, nothing that is left out."""
    for line in lines(path):
        said = re.split(r"\s[#|>&]|<<|;", line)[0]
        found = SHOWN.match(said.strip())
        if (
            line.startswith("    ")
            and found
            and not re.search(r"\.\.\.|[<>]|\\$|\$", said)
            and said.count("'") % 2 == 0
        ):
            yield found[1], found[2]


def hints(path: Path) -> Iterator[str]:
    """The commands that an error names as the way out; a value stands as ``1``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg == "hint":
            parts = node.value.values if isinstance(node.value, ast.JoinedStr) else [node.value]
            said = "".join(str(part.value) if isinstance(part, ast.Constant) else "1" for part in parts)
            if said.startswith("aimass ") and not re.search(r"\.\.\.|[<>;,]| or | and ", said):
                yield said


WITH_HINTS = [
    path for path in sorted((ROOT / "src" / "aimass").rglob("*.py")) if re.search(r'hint=f?"aimass ', path.read_text())
]


@pytest.mark.parametrize("path", WITH_HINTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_way_out_of_an_error_is_a_command_that_is_understood(path: Path) -> None:
    for hint in hints(path):
        said = hint.removeprefix("aimass ")
        command = command_of(said)
        assert command is not None, hint
        try:
            COMMANDS[command].make_context(command, shlex.split(said.removeprefix(command)), resilient_parsing=False)
        except click.UsageError as reason:
            pytest.fail(f"{hint}: {reason.format_message()}")


def test_what_is_not_there_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Text\n\n```sh\naimass data query \\\n  --sql 'from t'  # all\n```\n\n```python\naimass no\n```\n")
    assert [words for words, _ in whole(page)] == ["data query"]
    assert command_of("data collect customers") == "data collect"
    assert command_of("collect customers") is None
    assert "data" in TOPS
