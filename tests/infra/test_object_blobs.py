"""Blobs in an object store, against a simulator of S3 over HTTP."""

import os
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from aimass.infra.blobs import BlobCache, Blobs, ObjectBlobs
from aimass.infra.blobs.contract import BlobsContract
from aimass.infra.objects import Bucket, ObjectStoreSettings, Place, check_bucket, claim, clock_gap
from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import Conflict, Failed, NotFound, Unavailable
from tests.fixtures.object_store import KEY_ID, REGION, SECRET, ObjectStoreServer

CLOCK = SystemClock()
_COUNT = count()


def settings(server: ObjectStoreServer, **more: str) -> ObjectStoreSettings:
    return ObjectStoreSettings(**{"endpoint": server.url, "region": REGION, "key_id": KEY_ID, "secret": SECRET, **more})  # pyright: ignore[reportArgumentType]


def bucket_of(server: ObjectStoreServer, prefix: str = "some/prefix") -> Bucket:
    return Bucket(Place(server.bucket(), prefix), settings(server), patience=timedelta(seconds=1))


@pytest.fixture
def bucket(object_store: ObjectStoreServer) -> Bucket:
    return bucket_of(object_store)


def blobs_of(bucket: Bucket, folder: Path, budget: int = 1 << 20) -> ObjectBlobs:
    return ObjectBlobs(bucket, BlobCache(folder / f"cache-{next(_COUNT)}", budget, CLOCK), CLOCK)


class TestObjects(BlobsContract):
    __test__ = True
    server: ObjectStoreServer

    @pytest.fixture(autouse=True)
    def _server(self, object_store: ObjectStoreServer) -> None:
        self.server = object_store

    def make(self, folder: Path) -> Blobs:
        return blobs_of(bucket_of(self.server), folder)

    def damage(self, blobs: Blobs, sha256: str) -> None:
        assert isinstance(blobs, ObjectBlobs)
        (part,) = blobs.bucket.list(f"parts/{sha256}")
        blobs.bucket.put(part.name, b"abd")


def test_another_machine_reads_what_this_one_put(bucket: Bucket, tmp_path: Path) -> None:
    big = os.urandom(9 << 20)
    blob = blobs_of(bucket, tmp_path).put(iter([big[: 1 << 20], big[1 << 20 :]]))
    other = blobs_of(bucket, tmp_path)
    assert other.path(blob.sha256).read_bytes() == big
    assert other.size(blob.sha256) == len(big)


def test_what_one_machine_removed_and_another_put_again_is_there(bucket: Bucket, tmp_path: Path) -> None:
    one, two = blobs_of(bucket, tmp_path), blobs_of(bucket, tmp_path)
    sha256 = one.put(b"abc").sha256
    assert two.path(sha256).exists()
    two.remove(sha256)
    with pytest.raises(NotFound):
        blobs_of(bucket, tmp_path).path(sha256)
    one.put(b"abc")
    assert blobs_of(bucket, tmp_path).path(sha256).read_bytes() == b"abc"
    assert [found.name.split("/")[1] for found in bucket.list("parts")] == [sha256]


def test_a_put_mends_what_was_damaged(bucket: Bucket, tmp_path: Path) -> None:
    blobs = blobs_of(bucket, tmp_path)
    sha256 = blobs.put(b"abc").sha256
    (part,) = bucket.list("parts")
    bucket.remove(part.name)
    assert not blobs.verify(sha256)
    with pytest.raises(Failed, match="its bytes are missing"):
        blobs_of(bucket, tmp_path).path(sha256)
    blobs.put(b"abc")
    assert blobs.verify(sha256)


def test_damaged_bytes_are_given_to_nobody(bucket: Bucket, tmp_path: Path) -> None:
    sha256 = blobs_of(bucket, tmp_path).put(b"abc").sha256
    (part,) = bucket.list("parts")
    bucket.put(part.name, b"abd")
    with pytest.raises(Failed, match="is damaged in its store"):
        blobs_of(bucket, tmp_path).path(sha256)


def test_a_part_that_nobody_marked_goes_when_it_is_old(bucket: Bucket, tmp_path: Path) -> None:
    blobs = blobs_of(bucket, tmp_path)
    blob = blobs.put(b"abc")
    bucket.put(f"parts/{blob.sha256}/left", b"half")
    assert blobs.remove_broken(blob.put_at - timedelta(hours=1)) == 0
    assert blobs.remove_broken(blob.put_at + timedelta(hours=1)) == 4
    assert blobs.verify(blob.sha256)


def test_copies_stay_below_their_budget_but_for_those_in_use(bucket: Bucket, tmp_path: Path) -> None:
    blobs = blobs_of(bucket, tmp_path, budget=250)
    named, old = blobs.put(b"n" * 100), blobs.put(b"o" * 100)
    blobs.cache.named = lambda: {named.sha256}
    for blob in (named, old):
        path = blobs.path(blob.sha256)
        os.utime(path, (0, 0))
    young = [blobs.put(letter * 100).sha256 for letter in (b"a", b"b", b"c")]
    assert {sha256 for sha256, _ in blobs.cache.list()} == {named.sha256, *young}
    assert blobs.path(old.sha256).read_bytes() == b"o" * 100


def test_a_second_list_reads_only_what_changed(object_store: ObjectStoreServer, tmp_path: Path) -> None:
    blobs = blobs_of(bucket_of(object_store), tmp_path)
    first = [blobs.put(bytes([number])) for number in range(5)]
    assert sorted(blob.sha256 for blob in blobs.list()) == sorted(blob.sha256 for blob in first)
    with object_store.fault(status=503, after=1):  # the list itself, and no mark
        assert len(list(blobs.list())) == 5


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"status": 503}, "does not answer"),
        ({"status": 403}, "refuses the key"),
        ({"is_forgetful": True}, "does not keep the condition If-None-Match"),
    ],
)
def test_a_store_that_cannot_be_relied_on_is_refused(object_store: ObjectStoreServer, how: dict, told: str) -> None:
    bucket = bucket_of(object_store)
    check_bucket(bucket)
    with object_store.fault(**how), pytest.raises(Unavailable, match=told) as refused:
        check_bucket(bucket)
    assert SECRET not in str(refused.value.problem())
    assert KEY_ID not in str(refused.value.problem())


def test_a_put_that_failed_leaves_nothing(object_store: ObjectStoreServer, tmp_path: Path) -> None:
    bucket = bucket_of(object_store)
    blobs = blobs_of(bucket, tmp_path)
    with object_store.fault(status=503, methods=["PUT"]), pytest.raises(Unavailable):
        blobs.put(b"abc")
    assert list(blobs.list()) == []
    assert list(blobs.cache.list()) == []
    blobs.put(b"abc")


def test_the_clock_of_the_store_is_compared(object_store: ObjectStoreServer) -> None:
    bucket = bucket_of(object_store)
    assert abs(clock_gap(bucket, CLOCK)) < timedelta(seconds=5)
    with object_store.fault(clock_s=600):
        assert clock_gap(bucket, CLOCK) > timedelta(seconds=590)


def test_a_place_belongs_to_one_platform(bucket: Bucket, tmp_path: Path) -> None:
    claim(bucket, tmp_path / "one")
    claim(bucket, tmp_path / "one")
    with pytest.raises(Conflict, match="belongs to another platform"):
        claim(bucket, tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_a_place_where_something_lies_is_not_taken(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("letters/1", b"dear")
    with pytest.raises(Conflict, match="is not empty"):
        claim(bucket, tmp_path / "one")


def test_a_platform_does_not_move_without_its_blobs(object_store: ObjectStoreServer, tmp_path: Path) -> None:
    claim(bucket_of(object_store), tmp_path / "one")
    with pytest.raises(Conflict, match="keeps its blobs in"):
        claim(bucket_of(object_store), tmp_path / "one")


def test_keys_may_come_from_the_usual_places(object_store: ObjectStoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    bucket = Bucket(Place(object_store.bucket(), ""), ObjectStoreSettings(endpoint=object_store.url))
    check_bucket(bucket)
