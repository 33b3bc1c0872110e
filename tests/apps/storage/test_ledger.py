"""The ledger of erasures: each once, on the disk, sealed, and readable after keys changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass.apps.storage.ledger import Asked, Ledger, find_ledger, person_of, read_ledger, reseal, seal, unseal
from aimass.infra.secrets import KeyFileSecrets
from aimass.kernel.errors import Failed, Invalid

AT = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def secrets(tmp_path: Path) -> KeyFileSecrets:
    return KeyFileSecrets(tmp_path / "keys" / "secrets.json")


def asked(secrets: KeyFileSecrets, id_: str = "01A", *values: str) -> Asked:
    sealed = seal(secrets, id_, values or ("ann@example.org",))
    return Asked(id=id_, workspace="demo", column=None, by="u1", by_name="root", asked_at=AT, sealed=sealed)


def test_an_erasure_comes_back_and_is_written_once(tmp_path: Path, secrets: KeyFileSecrets) -> None:
    ledger, one = Ledger(tmp_path / "erasures.ndjson"), asked(secrets)
    assert (ledger.add([one]), ledger.add([one])) == (1, 0)
    assert ledger.entries() == [one]
    assert person_of(secrets, one).values == ("ann@example.org",)
    assert b"ann@example.org" not in ledger.path.read_bytes()
    assert ledger.path.stat().st_mode & 0o077 == 0


def test_many_writers_lose_nothing(tmp_path: Path, secrets: KeyFileSecrets) -> None:
    ledgers = [Ledger(tmp_path / "erasures.ndjson") for _ in range(4)]
    wanted = [asked(secrets, f"01{n:02d}") for n in range(20)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda pair: pair[0].add([pair[1]]), ((ledgers[n % 4], one) for n, one in enumerate(wanted * 2))))
    assert {one.id for one in ledgers[0].entries()} == {one.id for one in wanted}
    assert len(ledgers[0].entries()) == 20


def test_a_line_that_was_cut_off_is_none_and_the_next_stands_alone(tmp_path: Path, secrets: KeyFileSecrets) -> None:
    ledger = Ledger(tmp_path / "erasures.ndjson")
    ledger.add([asked(secrets, "01A")])
    with ledger.path.open("ab") as file:
        file.write(b'{"format":1,"id":"01B","work')
    ledger.add([asked(secrets, "01C")])
    assert [one.id for one in ledger.entries()] == ["01A", "01C"]


def test_a_second_disk_gets_every_line_also_those_it_missed(tmp_path: Path, secrets: KeyFileSecrets) -> None:
    copy = tmp_path / "other" / "ledger"
    Ledger(tmp_path / "erasures.ndjson").add([asked(secrets, "01A")])
    Ledger(tmp_path / "erasures.ndjson", copy).add([asked(secrets, "01A"), asked(secrets, "01B")])
    assert [one.id for one in read_ledger(copy)] == ["01A", "01B"]


def test_a_sealed_erasure_opens_for_itself_alone(secrets: KeyFileSecrets) -> None:
    with pytest.raises(Failed):
        unseal(secrets, "01B", asked(secrets, "01A").sealed)


def test_a_ledger_of_newer_keys_is_read_with_the_folder_that_has_them(tmp_path: Path, secrets: KeyFileSecrets) -> None:
    newer = KeyFileSecrets(tmp_path / "newer" / "secrets.json")
    one = asked(newer)
    with pytest.raises(Failed) as refused:
        reseal(one, secrets, None)
    assert "data directory" in refused.value.hint
    assert person_of(secrets, reseal(one, secrets, newer)).values == ("ann@example.org",)
    mine = asked(secrets)
    assert reseal(mine, secrets, newer) is mine


def test_a_ledger_is_named_by_its_folder_or_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "erasures.ndjson"
    with pytest.raises(Invalid, match="no list of erasures"):
        find_ledger(tmp_path, path.name)
    path.touch()
    assert find_ledger(tmp_path, path.name) == find_ledger(path, path.name) == path


@given(text=st.binary(max_size=300))
def test_no_bytes_break_a_reader(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    path = tmp_path_factory.mktemp("ledger") / "erasures.ndjson"
    path.write_bytes(text)
    assert list(read_ledger(path)) == []


def test_a_line_of_a_newer_version_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "erasures.ndjson"
    path.write_text('{"format": 2, "id": "01A"}\n')
    with pytest.raises(Failed, match="format 2"):
        list(read_ledger(path))
