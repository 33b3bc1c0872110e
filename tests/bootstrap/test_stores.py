"""A platform whose blobs lie in an object store: where it may start, what doctor finds, and what is kept of local copies."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from aimass.bootstrap.doctor import place
from aimass.bootstrap.doctor.examination import examine
from aimass.bootstrap.platform import Platform, open_platform
from aimass.bootstrap.settings import PlatformSettings
from aimass.bootstrap.stores import open_bucket
from aimass.infra.blobs import Blobs, ObjectBlobs
from aimass.infra.objects import check_bucket, clock_gap
from aimass.infra.tables import FolderTables, ObjectTables, TablesGrant, tables_of
from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import Conflict, Invalid, MissingExtra, Unavailable
from tests.fixtures.object_store import SECRET, ObjectStoreServer


@pytest.fixture
def address(object_store: ObjectStoreServer, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in object_store.settings().items():
        monkeypatch.setenv(name, value)
    return f"s3://{object_store.bucket()}/one"


@contextmanager
def opened(data_dir: Path, blobs: str) -> Iterator[Platform]:
    with closing(open_platform(PlatformSettings(data_dir=data_dir, blobs=blobs))) as platform:
        yield platform


def test_a_platform_keeps_its_blobs_in_the_store(tmp_path: Path, address: str) -> None:
    with opened(tmp_path / "d", address) as platform:
        blob = platform.registry.get(Blobs).put(b"abc")
    shutil.rmtree(tmp_path / "d" / "cache")
    with opened(tmp_path / "d", address) as platform:
        blobs = platform.registry.get(Blobs)
        assert isinstance(blobs, ObjectBlobs)
        assert blobs.path(blob.sha256).read_bytes() == b"abc"
        assert blobs.path(blob.sha256).is_relative_to(tmp_path / "d" / "cache")
    assert list((tmp_path / "d" / "blobs").glob("??/*")) == []


def test_a_platform_is_not_started_beside_its_blobs(tmp_path: Path, address: str) -> None:
    with opened(tmp_path / "d", address):
        pass
    with pytest.raises(Conflict, match="and AIMASS_BLOBS is not set"), opened(tmp_path / "d", ""):
        pass
    with pytest.raises(Conflict, match="keeps its blobs in"), opened(tmp_path / "d", address + "/other"):
        pass
    with pytest.raises(Conflict, match="belongs to another platform"), opened(tmp_path / "e", address):
        pass


def test_a_platform_with_blobs_in_its_folder_is_not_started_on_a_store(tmp_path: Path, address: str) -> None:
    with opened(tmp_path / "d", "") as platform:
        platform.registry.get(Blobs).put(b"abc")
    with pytest.raises(Conflict, match="lie in"), opened(tmp_path / "d", address):
        pass


def test_a_store_that_does_not_answer_stops_the_start_and_tells_no_key(
    tmp_path: Path, address: str, object_store: ObjectStoreServer
) -> None:
    with (
        object_store.fault(status=403),
        pytest.raises(Unavailable, match="refuses the key") as refused,
        opened(tmp_path / "d", address),
    ):
        pass
    assert SECRET not in repr(refused.value.problem())


def test_an_address_with_a_key_in_it_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused, opened(tmp_path / "d", "s3://me:hidden@company/x"):
        pass
    assert "hidden" not in repr(refused.value.problem())
    assert refused.value.allowed == "s3://bucket/prefix"


def test_without_the_extra_the_way_to_it_is_told(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(MissingExtra) as missing, opened(tmp_path / "d", address):
        pass
    assert missing.value.hint == "pip install 'aimass[s3]'"


def test_doctor_looks_at_the_store(tmp_path: Path, address: str, object_store: ObjectStoreServer) -> None:
    settings = PlatformSettings(data_dir=tmp_path / "d", blobs=address)
    assert place.blobs(settings).is_good
    with object_store.fault(clock_s=900):
        found = place.blobs(settings)
    assert not found.is_good
    assert "is +90" in found.detail or "is +89" in found.detail
    with object_store.fault(is_forgetful=True):
        found = next(finding for finding in examine(settings) if finding.name == "blobs")
    assert not found.is_good
    assert "does not keep the condition If-None-Match" in found.detail


def test_doctor_finds_blobs_that_the_settings_forgot(tmp_path: Path, address: str) -> None:
    with opened(tmp_path / "d", address):
        pass
    found = place.blobs(PlatformSettings(data_dir=tmp_path / "d"))
    assert (found.is_good, found.hint) == (False, f"set AIMASS_BLOBS={address}")


def test_tables_lie_in_the_store_and_a_platform_is_not_started_beside_them(tmp_path: Path, address: str) -> None:
    def platform(lake: str, name: str = "d") -> PlatformSettings:
        return PlatformSettings(data_dir=tmp_path / name, lake=lake)

    with closing(open_platform(platform(address))) as found:
        assert isinstance(tables_of(tmp_path / "d" / "lake" / "demo"), ObjectTables)
        assert SECRET not in repr(found.registry.get(TablesGrant))
    assert isinstance(tables_of(tmp_path / "e" / "lake"), FolderTables)
    for settings, why in (
        (platform(""), "and AIMASS_LAKE is not set"),
        (platform(address + "/other"), "keeps its tables in"),
        (platform(address, "e"), "belongs to another platform"),
    ):
        with pytest.raises(Conflict, match=why):
            open_platform(settings)
    found = place.lake(platform(""))
    assert (found.is_good, found.hint) == (False, f"set AIMASS_LAKE={address}")
    assert place.lake(platform(address)).is_good
    (tmp_path / "f" / "lake" / "demo" / "visits" / "_delta_log").mkdir(parents=True)
    with pytest.raises(Conflict, match="the tables of this platform lie in"):
        open_platform(platform(address + "/f", "f"))


def test_a_look_at_the_store_leaves_nothing(address: str) -> None:
    bucket = open_bucket(address)
    check_bucket(bucket)
    clock_gap(bucket, SystemClock())
    assert list(bucket.list()) == []
