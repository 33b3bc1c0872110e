"""The conformance suite of blob stores: inherit it, give ``make``."""

from __future__ import annotations

from abc import abstractmethod
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
        for read in (blobs.open, blobs.path, blobs.size, blobs.verify):
            with pytest.raises(NotFound):
                read(_MISSING)

    def test_a_path_is_no_name(self, blobs: Blobs) -> None:
        """A name that is no hash is refused."""
        with pytest.raises(Invalid):
            blobs.open("../../etc/passwd")

    def test_damage_is_seen(self, blobs: Blobs) -> None:
        """A flipped bit is found by verify."""
        blob = blobs.put(b"abc")
        assert blobs.verify(blob.sha256)
        path = blobs.path(blob.sha256)
        path.write_bytes(b"abd")
        assert not blobs.verify(blob.sha256)

    def test_a_removed_blob_is_gone(self, blobs: Blobs) -> None:
        """A removed blob is gone and can be stored again."""
        blob = blobs.put(b"abc")
        blobs.remove(blob.sha256)
        assert not blobs.exists(blob.sha256)
        assert blobs.put(b"abc") == blob
