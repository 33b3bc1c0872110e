"""Every blob store passes the same suite."""

from pathlib import Path

from aimass.infra.blobs import Blobs, FolderBlobs
from aimass.infra.blobs.contract import BlobsContract


class TestFolder(BlobsContract):
    __test__ = True

    def make(self, folder: Path) -> Blobs:
        return FolderBlobs(folder)
