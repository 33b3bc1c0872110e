"""What a backup says about itself, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimass.bootstrap.carrying.manifest import Fact, Manifest, read_manifest, write_manifest
from aimass.kernel.errors import AimassError

KNOWN = frozenset({"0001"})


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    files = {"aimass.db": Fact(sha256="ab", size=3), "lake/你好/a.parquet": Fact(sha256="cd", size=4)}
    write_manifest(tmp_path, Manifest(created_at="2026-01-01T00:00:00Z", schema="0001", engine="sqlite", files=files))
    return tmp_path


def test_what_was_written_is_read(backup: Path) -> None:
    manifest = read_manifest(backup, KNOWN)
    assert (manifest.size_bytes, manifest.files["aimass.db"]) == (7, Fact(sha256="ab", size=3))
    assert [path.name for path in backup.iterdir()] == ["manifest.json"]


def _names(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda told: told["files"].update({name: {"sha256": "", "size": 0}})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda told: told.update(schema="9999", version="7.0"), "a newer version, AI Mass 7.0 (schema '9999')"),
        (lambda told: told.update(format=99, files=[1]), "a newer version"),
        (_names("../x"), "outside its folder: '../x'"),
        (_names("/etc/x"), "outside its folder: '/etc/x'"),
        (_names("keys/../../x"), "outside its folder"),
        (_names(""), "outside its folder"),
        (lambda told: told.pop("files"), "is damaged"),
        (lambda told: told.update(files={"a": {"size": 1}}), "is damaged"),
        (lambda told: told.update(unknown=1), "is damaged"),
    ],
)
def test_a_manifest_that_tells_something_else_is_refused(
    backup: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    path = backup / "manifest.json"
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    with pytest.raises(AimassError) as refused:
        read_manifest(backup, KNOWN)
    assert words in refused.value.message
    assert refused.value.hint or "outside" in words


@pytest.mark.parametrize("text", ["{", "[]", "null", ""])
def test_a_manifest_that_is_none_is_damaged(backup: Path, text: str) -> None:
    (backup / "manifest.json").write_text(text)
    with pytest.raises(AimassError, match="damaged"):
        read_manifest(backup, KNOWN)


def test_a_folder_without_one_is_no_complete_backup(tmp_path: Path) -> None:
    with pytest.raises(AimassError, match="no complete backup"):
        read_manifest(tmp_path, KNOWN)
