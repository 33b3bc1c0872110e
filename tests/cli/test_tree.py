"""Every command, looked at without running it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import click
import pytest

from aimass.__main__ import LOCAL
from aimass.cli.app import Tree, run
from aimass.client import OPERATIONS

IN_THE_FOREGROUND = {"up", "run", "demo"}  # they speak to a person, and run until they are stopped


def _commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


COMMANDS = dict(_commands(Tree("", LOCAL)))


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_gives_each_option_one_meaning_and_speaks_json(words: str) -> None:
    options = Counter(name for param in COMMANDS[words].params for name in (*param.opts, *param.secondary_opts))
    assert {name for name, count in options.items() if count > 1} == set()
    assert "--json" in options or words in IN_THE_FOREGROUND
    assert COMMANDS[words].get_short_help_str()


def test_what_goes_on_after_an_answer_can_be_followed() -> None:
    going_on = {name: operation.progress for name, operation in OPERATIONS.items() if operation.progress}
    assert len(going_on) > 5
    assert {name for name, reader in going_on.items() if OPERATIONS[reader].method != "GET"} == set()


def test_no_two_operations_have_the_same_words() -> None:
    words = Counter(operation.cli for operation in OPERATIONS.values() if operation.cli)
    assert {word for word, count in words.items() if count > 1} == set()
    going_on = {
        "data collect",
        "train tune",
    }  # commands of this machine that read a file and go on as the operation does
    assert not set(words) & (LOCAL.keys() - going_on)


@pytest.mark.parametrize(
    ("said", "told"),
    [(["train", "--auto", "--help"], "Train the best few recipes"), (["train", "gone.py"], "'gone.py' does not exist")],
)
def test_a_word_written_as_an_option_and_a_file_stand_for_their_command(
    said: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(LOCAL, said)
    answer = capsys.readouterr()
    assert told in answer.out + answer.err


def test_an_option_that_is_no_word_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(LOCAL, ["train", "--nope"]) == 2
    assert "No such option '--nope'" in capsys.readouterr().err
