"""Packages with a class of their own: what a review looks at, and who approves them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimass.models import BrokenPackage, Package
from aimass.models.children.review import review
from aimass.models.package import parse_manifest
from aimass.models.runtimes.python.entry import parse_entry
from tests.fixtures.code import TWICE, code_package
from tests.fixtures.engines import needs_bubblewrap
from tests.fixtures.wheels import lock_of, locked, offline, wheel

Make = Callable[[dict[str, Any]], Any]


def reviewed(make_job: Make, package: Package, **changes: Any) -> dict[str, dict[str, Any]]:
    found = review(make_job({"package": str(package.folder), "origin": "upload", **changes}))
    return {check["name"]: check for check in found["checks"]}


@needs_bubblewrap
def test_a_class_of_ones_own_passes_every_check(make_job: Make, tmp_path: Path) -> None:
    package = code_package(tmp_path / "p")
    found = reviewed(make_job, package)
    assert [check["passed"] for check in found.values()] == [True] * 4, found
    assert "code: the class Doubler answers" in found["format"]["evidence"]
    assert sorted(path.name for path in package.folder.rglob("*.pyc")) == []


@needs_bubblewrap
def test_the_trial_of_a_strangers_code_sees_no_file_of_the_machine(make_job: Make, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("42")
    spying = f"\nassert not __import__('os').path.exists({str(tmp_path / 'secret')!r}), 'it sees the secret'\n"
    found = reviewed(make_job, code_package(tmp_path / "p", TWICE + spying))
    assert found["smoke"]["passed"], found["smoke"]["evidence"]


@needs_bubblewrap
def test_a_package_that_prints_without_end_ends_itself(make_job: Make, tmp_path: Path) -> None:
    flood = "\nimport sys\nwhile True:\n    sys.stdout.write('x' * (1 << 24))\n    sys.stdout.flush()\n"
    found = reviewed(make_job, code_package(tmp_path / "p", TWICE + flood))
    assert not found["smoke"]["passed"]
    assert "loading or answering failed" in found["smoke"]["evidence"]


@needs_bubblewrap
def test_a_package_with_a_lock_is_tried_in_its_own_environment(
    make_job: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in offline(tmp_path / "wheels").items():
        monkeypatch.setenv(name, text)
    found = reviewed(make_job, locked(tmp_path / "p", lock_of(wheel(tmp_path / "wheels"))))
    assert [check["passed"] for check in found.values()] == [True] * 4, found
    assert "requirements.lock: 1 packages of its own" in found["format"]["evidence"]
    loose = reviewed(make_job, locked(tmp_path / "q", "tinymarks>=1\n"))
    assert "exact versions with hashes alone, and not 'tinymarks>=1'" in loose["format"]["evidence"]


def test_a_strangers_code_is_not_tried_without_a_sandbox(
    make_job: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = reviewed(make_job, code_package(tmp_path / "p", f"{TWICE}\nopen({str(tmp_path / 'ran')!r}, 'w')\n"))
    assert not found["smoke"]["passed"]
    assert "in a sandbox alone, and there is none: bubblewrap is not installed" in found["smoke"]["evidence"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("code", "entry", "said"),
    [
        ("class Doubler:\n    pass\n", "doubling.model:Doubler", "class 'Doubler' has no method 'predict'"),
        ("class Other:\n    pass\n", "doubling.model:Doubler", "has no class 'Doubler'"),
        ("class Doubler(:\n", "doubling.model:Doubler", "is no Python"),
        (TWICE, "doubling.models:Doubler", "there is no module 'doubling.models' in the package"),
    ],
)
def test_code_that_cannot_answer_is_refused_before_it_runs(
    make_job: Make, tmp_path: Path, code: str, entry: str, said: str
) -> None:
    found = reviewed(make_job, code_package(tmp_path / "p", code, entry=entry))
    assert set(found) == {"manifest", "format"}
    assert said in found["format"]["evidence"]


@pytest.mark.parametrize("entry", ["model", "model:", "../model:Model", "model:Model:x", "os.system('x'):y"])
def test_an_entry_that_names_no_class_is_refused(entry: str) -> None:
    with pytest.raises(BrokenPackage, match="names no class"):
        parse_entry(entry)


def test_a_module_that_is_there_already_is_not_taken_for_that_of_the_package(make_job: Make, tmp_path: Path) -> None:
    from aimass.models import load_model

    package = code_package(tmp_path / "p")
    text = package.manifest.text().replace(b"doubling.model:Doubler", b"json:JSONDecoder")
    broken = Package(folder=package.folder, manifest=parse_manifest(text), digest="")
    with pytest.raises(BrokenPackage, match="there is a module 'json' already"):
        load_model(broken)


def test_a_package_without_code_has_the_identity_that_it_always_had(package: Package) -> None:
    assert b"entry" not in package.manifest.text()
