"""A platform whose blobs and tables lie in an object store works, is backed up, and goes on elsewhere, or back in files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.backups import (
    House,
    aimass,
    answers_as_before,
    deploys_a_graph,
    goes_on_working,
    house_of,
    reads_every_version,
    restored_from,
    takes_what_was_pushed,
    verifies_and_lets_in,
)
from tests.fixtures.object_store import SECRET, ObjectStoreServer
from tests.fixtures.postgres import PostgresServer

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def _on(server: ObjectStoreServer) -> dict[str, str]:
    bucket = server.bucket()
    return {**server.settings(), "AIMASS_BLOBS": f"s3://{bucket}/blobs", "AIMASS_LAKE": f"s3://{bucket}/lake"}


@pytest.fixture(scope="module")
def house(object_store: ObjectStoreServer) -> Iterator[House]:
    with house_of(_on(object_store)) as house:
        yield house


def test_a_platform_on_a_store_goes_on_in_another_place(house: House, object_store: ObjectStoreServer) -> None:
    with restored_from(house, _on(object_store)) as restored:
        answers_as_before(restored, house)
        deploys_a_graph(restored)
        reads_every_version(restored)
        goes_on_working(restored, house)
        verifies_and_lets_in(restored, house)


def test_a_platform_on_a_store_goes_on_in_files(house: House) -> None:
    with restored_from(house) as restored:
        answers_as_before(restored, house)
        goes_on_working(restored, house)


@pytest.mark.postgres
def test_a_platform_on_postgresql_and_a_store_goes_on_in_others(
    object_store: ObjectStoreServer, postgres: PostgresServer
) -> None:
    with (
        house_of({**_on(object_store), "AIMASS_DB": postgres.create()}) as house,
        restored_from(house, {**_on(object_store), "AIMASS_DB": postgres.create()}) as restored,
    ):
        answers_as_before(restored, house)
        reads_every_version(restored)
        takes_what_was_pushed(restored, house)
        goes_on_working(restored, house)


def test_a_place_where_something_lies_is_refused_and_left_alone(
    house: House, object_store: ObjectStoreServer, tmp_path: Path
) -> None:
    done = aimass("restore", str(house.backup), "--data-dir", str(tmp_path / "d"), env=house.platform.environment)
    assert (done.returncode, "is not empty" in done.stderr) == (1, True), done.stderr
    assert not (tmp_path / "d").exists()


def test_a_store_that_fails_in_the_middle_leaves_the_place_empty_for_the_next_try(
    house: House, object_store: ObjectStoreServer, tmp_path: Path
) -> None:
    environment = _on(object_store)
    words = ["restore", str(house.backup), "--data-dir", str(tmp_path / "d")]
    with object_store.fault(status=403, methods=["PUT"], after=30):
        first = aimass(*words, env=environment)
    assert (first.returncode, "refuses the key" in first.stderr) == (1, True), first.stderr
    second = aimass(*words, env=environment)
    assert second.returncode == 0, second.stderr


def test_nothing_that_is_kept_names_the_key(house: House) -> None:
    root = house.platform.data_dir
    assert (root / "run" / "lake.json").exists()
    assert not list((root / "lake").glob("*/*.lock"))  # no table was written in the folder
    files = [file for file in root.rglob("*") if file.is_file()]
    assert len(files) > 50
    assert [file for file in files if SECRET.encode() in file.read_bytes()] == []
