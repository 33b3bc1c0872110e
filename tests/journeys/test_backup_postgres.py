"""Back up and restore a platform on PostgreSQL, and carry one from one engine to the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimass import Client
from tests.fixtures.backups import (
    House,
    aimass,
    answers_as_before,
    goes_on_working,
    house_of,
    reads_every_version,
    restored_from,
    verifies_and_lets_in,
)
from tests.fixtures.postgres import PostgresServer

pytestmark = [pytest.mark.long, pytest.mark.postgres, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> str:
    return postgres.create()


@pytest.fixture(scope="module")
def house(url: str) -> Iterator[House]:
    with house_of({"AIMASS_DB": url}) as house:
        yield house


def _works(restored: Client, house: House) -> None:
    answers_as_before(restored, house)
    reads_every_version(restored)
    goes_on_working(restored, house)
    verifies_and_lets_in(restored, house)


def test_a_platform_on_postgresql_goes_on_in_another_database(house: House, postgres: PostgresServer) -> None:
    with restored_from(house, {"AIMASS_DB": postgres.create()}) as restored:
        _works(restored, house)


@pytest.mark.long
def test_a_platform_on_postgresql_goes_on_in_files(house: House) -> None:
    with restored_from(house) as restored:
        _works(restored, house)


@pytest.mark.long
def test_a_platform_in_files_goes_on_on_postgresql(postgres: PostgresServer) -> None:
    with house_of() as house, restored_from(house, {"AIMASS_DB": postgres.create()}) as restored:
        _works(restored, house)


def _restore(house: House, target: Path, url: str) -> str:
    done = aimass("restore", str(house.backup), "--data-dir", str(target), env={"AIMASS_DB": url})
    assert done.returncode == 1
    assert not target.exists()
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_database_that_holds_something_is_refused(house: House, tmp_path: Path, url: str) -> None:
    assert "is not empty" in _restore(house, tmp_path / "d", url)


def test_a_server_that_does_not_answer_is_named_without_its_password(house: House, tmp_path: Path) -> None:
    told = _restore(house, tmp_path / "d", "postgresql+psycopg://me:secret@127.0.0.1:9/nothing")
    assert "does not answer" in told
    assert "secret" not in told


def test_a_fault_leaves_the_database_empty_for_the_next_try(
    house: House, postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.create()
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "run").mkdir()
    (tmp_path / "d" / "run" / "node-id").mkdir()  # what is restored last finds no place
    words = ["restore", str(house.backup), "--data-dir", str(tmp_path / "d")]
    first = aimass(*words, env={**os.environ, "AIMASS_DB": url})
    assert (first.returncode, "given up" in first.stderr) == (1, True), first.stderr
    (tmp_path / "d" / "run" / "node-id").rmdir()
    second = aimass(*words, env={"AIMASS_DB": url})
    assert second.returncode == 0, second.stderr
