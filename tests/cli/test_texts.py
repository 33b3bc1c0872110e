"""Texts that a command takes several of: one by one, or a file with one a line, so that none stands in a shell's history."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from aimass.cli.derived import TextsType


def read(value: str) -> object:
    return TextsType().convert(value, None, None)


def test_a_file_gives_one_text_a_line(tmp_path: Path) -> None:
    path = tmp_path / "who.txt"
    path.write_text("7590-VHVEG\n\n  张伟\n", encoding="utf-8")
    assert read(f"@{path}") == ["7590-VHVEG", "张伟"]


def test_a_text_that_begins_with_the_sign_of_a_file_is_written_with_two() -> None:
    assert (read("ann@example.org"), read("@@ann")) == ("ann@example.org", "@ann")


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), (b"\xff\xfe\x00", "no text in UTF-8")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "who").write_bytes(content)
    with pytest.raises(click.UsageError, match=words):
        read(f"@{tmp_path / 'who'}")
