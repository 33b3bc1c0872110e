"""Packages in the blob store: found by the digest of their manifest, laid out in a folder where they are used."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aimass.infra.blobs import Blobs
from aimass.kernel.clock import Clock, SystemClock
from aimass.kernel.errors import Failed
from aimass.kernel.ids import new_id
from aimass.models.package import (
    MANIFEST,
    SAMPLES,
    Manifest,
    Package,
    PackageFile,
    check_path,
    parse_manifest,
    verify_package,
)

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A package that lies unpacked in its folder: its digest, when it was asked for last, and its size."""

    name: str
    used_at: datetime
    size_bytes: int


class PackageStore:
    """Keeps packages by their digest.

    Parameters
    ----------
    blobs
        Holds every file, and the manifest, whose SHA-256 is the digest.
    folder
        Where packages are laid out, ``<folder>/<digest>``.
    """

    def __init__(self, blobs: Blobs, folder: Path, clock: Clock | None = None) -> None:
        self._blobs = blobs
        self._folder = folder
        self._clock = clock or SystemClock()
        self._verified: set[str] = set()
        self._files: dict[str, frozenset[str]] = {}
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

    def touch(self, digest: str) -> None:
        """Let the blobs of a package count as just put, because something names the package anew."""
        self._blobs.touch(digest)
        for file in self.manifest(digest).files.values():
            self._blobs.touch(file.sha256)

    def blobs_of(self, digest: str) -> frozenset[str]:
        """Return the blobs of a package: its manifest, and its files where the manifest is still there."""
        with self._lock:
            if digest not in self._files:
                if not self._blobs.exists(digest):
                    return frozenset({digest})
                files = (file.sha256 for file in self.manifest(digest).files.values())
                self._files[digest] = frozenset({digest, *files})
            return self._files[digest]

    def folder(self, digest: str) -> Path:
        """Return a folder with the whole package, checked once by this process; it is made when it is missing."""
        path = self._folder / digest
        with self._lock:
            if digest not in self._verified or not path.is_dir():
                self._verified.discard(digest)
                if not path.is_dir():
                    self._lay_out(digest, path)
                verify_package(path)
                self._verified.add(digest)
            self._stamp(path)
        return path

    def _stamp(self, path: Path) -> None:
        now = self._clock.now().timestamp()
        os.utime(path, (now, now))

    def samples(self, digest: str) -> dict[str, Any]:
        """Return the samples of a package; none where it carries none, or where it is gone."""
        if not self._blobs.exists(digest):
            return {}
        file = self.manifest(digest).files.get(SAMPLES)
        if file is None:
            return {}
        with self._blobs.open(file.sha256) as stream:
            return json.loads(stream.read())

    def replace_samples(self, digest: str, samples: bytes) -> str:
        """Keep a package that is another one but for its samples; return its digest."""
        manifest = self.manifest(digest)
        for file in manifest.files.values():
            self._blobs.touch(file.sha256)
        kept = self._blobs.put(samples)
        file = PackageFile(sha256=kept.sha256, size=kept.size)
        return self._blobs.put(replace(manifest, files={**manifest.files, SAMPLES: file}).text()).sha256

    def supersede(self, old: str, new: str) -> None:
        """Let a package lie unpacked where another one does, for those who know that place."""
        made, place = self.folder(new), self._folder / old
        with self._lock:
            if not place.is_dir():
                return
            copy, gone = (place.with_name(f".{kind}.{new_id()}") for kind in ("new", "gone"))
            shutil.copytree(made, copy)
            place.rename(gone)
            copy.rename(place)
            shutil.rmtree(gone)

    def forget(self, digest: str, *, but: str) -> None:
        """Remove the blobs of a package at once, but those that another one shares."""
        mine, kept = self.blobs_of(digest), self.blobs_of(but)
        for sha256 in mine - kept:
            self._blobs.remove(sha256)
        with self._lock:
            self._files.pop(digest, None)

    def laid_out(self) -> Iterator[Layout]:
        """Yield what lies in the folder of packages: whole ones by their digest, others under the name they have."""
        for path in sorted(self._folder.iterdir()):
            with contextlib.suppress(FileNotFoundError):
                used_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
                yield Layout(name=path.name, used_at=used_at, size_bytes=size)

    def remove_layout(self, name: str, moment: datetime) -> bool:
        """Remove a laid-out package that nobody asked for since a moment; it comes back from its blobs when it is wanted."""
        path = self._folder / name
        with self._lock:
            try:
                if datetime.fromtimestamp(path.stat().st_mtime, UTC) >= moment:
                    return False
            except FileNotFoundError:
                return False
            self._verified.discard(name)
            gone = path.with_name(f".gone.{new_id()}")
            path.rename(gone)
        shutil.rmtree(gone)
        return True

    def _lay_out(self, digest: str, path: Path) -> None:
        building = path.with_name(f".{digest}.{new_id()}")
        building.mkdir(parents=True)
        for name, file in self.manifest(digest).files.items():
            target = building / check_path(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._blobs.path(file.sha256), target)
        shutil.copyfile(self._blobs.path(digest), building / MANIFEST)
        self._stamp(building)
        building.rename(path)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
