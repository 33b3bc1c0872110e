"""Packages in the blob store: found by the digest of their manifest, laid out in a folder where they are used."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from aimass.infra.blobs import Blobs
from aimass.kernel.errors import Failed
from aimass.kernel.ids import new_id
from aimass.models.package import MANIFEST, Manifest, Package, check_path, parse_manifest, verify_package

_CHUNK = 1024 * 1024


class PackageStore:
    """Keeps packages by their digest.

    Parameters
    ----------
    blobs
        Holds every file, and the manifest, whose SHA-256 is the digest.
    folder
        Where packages are laid out, ``<folder>/<digest>``.
    """

    def __init__(self, blobs: Blobs, folder: Path) -> None:
        self._blobs = blobs
        self._folder = folder
        self._verified: set[str] = set()
        self._lock = threading.Lock()

    def put(self, folder: Path) -> Package:
        """Keep a package after checking every file; the same package twice is one."""
        package = verify_package(folder)
        for name in package.manifest.files:
            self._blobs.put(_chunks(folder / name))
        kept = self._blobs.put((folder / MANIFEST).read_bytes())
        if kept.sha256 != package.digest:
            raise Failed(f"the manifest of {package.digest!r} changed while it was kept", hint="repeat")
        return package

    def manifest(self, digest: str) -> Manifest:
        """Return the manifest of a package."""
        with self._blobs.open(digest) as file:
            return parse_manifest(file.read())

    def missing(self, digest: str) -> list[str]:
        """Return the files of a package that are not kept any more."""
        if not self._blobs.exists(digest):
            return [MANIFEST]
        files = self.manifest(digest).files
        return [name for name, file in files.items() if not self._blobs.exists(file.sha256)]

    def folder(self, digest: str) -> Path:
        """Return a folder with the whole package, checked once by this process; it is made when it is missing."""
        path = self._folder / digest
        with self._lock:
            if digest not in self._verified:
                if not path.is_dir():
                    self._lay_out(digest, path)
                verify_package(path)
                self._verified.add(digest)
        return path

    def _lay_out(self, digest: str, path: Path) -> None:
        building = path.with_name(f".{digest}.{new_id()}")
        building.mkdir(parents=True)
        for name, file in self.manifest(digest).files.items():
            target = building / check_path(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._blobs.path(file.sha256), target)
        shutil.copyfile(self._blobs.path(digest), building / MANIFEST)
        building.rename(path)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
