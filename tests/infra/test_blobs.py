"""Every blob store passes the same suite."""

from datetime import timedelta
from pathlib import Path

from aimass.infra.blobs import Blobs, FolderBlobs
from aimass.infra.blobs.contract import BlobsContract


class TestFolder(BlobsContract):
    __test__ = True

    def make(self, folder: Path) -> Blobs:
        return FolderBlobs(folder)

    def damage(self, blobs: Blobs, sha256: str) -> None:
        blobs.path(sha256).write_bytes(b"abd")


def test_a_put_that_was_killed_leaves_a_file_that_goes_when_it_is_old(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    left = tmp_path / "incoming" / "tmpabc"
    left.write_bytes(b"half")
    moment = blobs.put(b"whole").put_at
    assert blobs.remove_broken(moment - timedelta(hours=1)) == 0
    assert blobs.remove_broken(moment + timedelta(hours=1)) == 4
    assert not left.exists()
