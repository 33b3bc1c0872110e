"""The conformance suite of blob stores: inherit it, give ``make``."""

from __future__ import annotations

from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from aimass.infra.blobs.port import Blobs
from aimass.kernel.errors import Invalid, NotFound

_MISSING = "0" * 64


class BlobsContract:
    """What a blob store must do; an adapter's test class inherits this."""

    __test__ = False

    @abstractmethod
    def make(self, folder: Path) -> Blobs:
        """Return an empty store."""

    @abstractmethod
    def damage(self, blobs: Blobs, sha256: str) -> None:
        """Change bytes of a blob where they are kept."""

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        """Give each case an empty store."""
        return self.make(tmp_path)

    def test_bytes_come_back(self, blobs: Blobs) -> None:
        """Bytes are named by their SHA-256 and come back."""
        blob = blobs.put(b"abc")
        assert blob.sha256 == sha256(b"abc").hexdigest()
        with blobs.open(blob.sha256) as file:
            assert file.read() == b"abc"
        assert blobs.path(blob.sha256).read_bytes() == b"abc"
        assert blobs.size(blob.sha256) == len(b"abc")

    def test_a_stream_is_one_blob(self, blobs: Blobs) -> None:
        """A stream is stored as a whole."""
        assert blobs.put(iter([b"a", b"", b"bc"])) == blobs.put(b"abc")
        assert [b.sha256 for b in blobs.list()] == [sha256(b"abc").hexdigest()]

    def test_a_broken_stream_leaves_nothing(self, blobs: Blobs) -> None:
        """A stream that fails leaves nothing behind."""

        def broken():
            yield b"half"
            raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            blobs.put(broken())
        assert list(blobs.list()) == []

    def test_a_missing_blob_is_named(self, blobs: Blobs) -> None:
        """A missing blob raises NotFound everywhere but in remove."""
        blobs.remove(_MISSING)
        assert not blobs.exists(_MISSING)
        for read in (blobs.open, blobs.path, blobs.size, blobs.verify, blobs.touch):
            with pytest.raises(NotFound):
                read(_MISSING)

    def test_an_old_blob_goes_and_a_fresh_one_stays(self, blobs: Blobs) -> None:
        """What was put or touched since the moment stays; a missing blob is no error."""
        blob = blobs.put(b"abc")
        assert not blobs.remove_older(blob.sha256, blob.put_at)
        assert blobs.remove_older(blob.sha256, blob.put_at + timedelta(seconds=1))
        assert not blobs.exists(blob.sha256)
        assert not blobs.remove_older(blob.sha256, blob.put_at + timedelta(seconds=1))

    def test_putting_or_touching_again_makes_a_blob_young(self, blobs: Blobs) -> None:
        """The same bytes put again, or touched, count from now on."""
        first = blobs.put(b"abc")
        again = blobs.put(b"abc")
        assert again.put_at > first.put_at
        blobs.touch(first.sha256)
        (listed,) = blobs.list()
        assert listed.put_at > again.put_at
        assert not blobs.remove_older(first.sha256, again.put_at)

    def test_what_broken_puts_left_goes_when_it_is_old(self, blobs: Blobs) -> None:
        """A put that is under way is young; whole blobs are not looked at."""
        blob = blobs.put(b"abc")
        assert blobs.remove_broken(blob.put_at + timedelta(days=1)) == 0
        assert blobs.exists(blob.sha256)

    def test_a_put_never_loses_against_a_collector(self, blobs: Blobs) -> None:
        """Whoever puts while another removes finds his blob afterwards, whoever came first."""
        with ThreadPoolExecutor(2) as pool:
            for _ in range(50):
                old = blobs.put(b"abc")
                gone = pool.submit(blobs.remove_older, old.sha256, old.put_at + timedelta(microseconds=1))
                pool.submit(blobs.put, b"abc").result()
                gone.result()
                assert blobs.verify(old.sha256)

    def test_a_path_is_no_name(self, blobs: Blobs) -> None:
        """A name that is no hash is refused."""
        with pytest.raises(Invalid):
            blobs.open("../../etc/passwd")

    def test_damage_is_seen(self, blobs: Blobs) -> None:
        """A flipped bit is found by verify."""
        blob = blobs.put(b"abc")
        assert blobs.verify(blob.sha256)
        self.damage(blobs, blob.sha256)
        assert not blobs.verify(blob.sha256)

    def test_many_put_the_same_at_once(self, blobs: Blobs) -> None:
        """Whoever puts what another puts at the same time finds it afterwards, once."""
        with ThreadPoolExecutor(4) as pool:
            put = list(pool.map(lambda _: blobs.put(b"abc"), range(8)))
        assert {blob.sha256 for blob in put} == {blob.sha256 for blob in blobs.list()}
        assert blobs.verify(put[0].sha256)
        assert blobs.remove_broken(put[0].put_at + timedelta(days=1)) == 0

    def test_a_removed_blob_is_gone(self, blobs: Blobs) -> None:
        """A removed blob is gone and can be stored again."""
        blob = blobs.put(b"abc")
        blobs.remove(blob.sha256)
        assert not blobs.exists(blob.sha256)
        assert blobs.put(b"abc") == blob
