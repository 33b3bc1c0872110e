"""Blobs of an object store in a backup: they lie in it like those of a folder, so a backup moves a platform either way."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256 as new_hash
from pathlib import Path

from aimass.bootstrap.carrying.files import Told, clear_errors
from aimass.bootstrap.carrying.manifest import Fact
from aimass.bootstrap.settings import PlatformSettings
from aimass.bootstrap.stores import SETTING, claim_file, open_blobs, open_bucket
from aimass.infra.blobs import Blobs, FolderBlobs, ObjectBlobs
from aimass.infra.objects import check_bucket, claim, claimed, release
from aimass.kernel.errors import Conflict, Failed, NotFound
from aimass.kernel.layout import DataDir

_CHUNK = 1 << 20


def require_free_store(settings: PlatformSettings) -> None:
    """Refuse an object store that cannot be relied on, or a place in it where something lies that is not this platform's."""
    if not settings.blobs:
        return
    bucket = open_bucket(settings.blobs)
    check_bucket(bucket)
    is_ours = claimed(claim_file(DataDir(settings.data_dir))) == str(bucket.place)
    if not is_ours and next(bucket.list(), None) is not None:
        raise Conflict(
            f"{bucket.place} is not empty",
            value=str(bucket.place),
            hint=f"name a prefix where nothing lies yet in {SETTING}",
        )


def stored_bytes(settings: PlatformSettings) -> int:
    """Return the bytes of the blobs that lie outside the data directory."""
    return sum(blob.size for blob in open_blobs(settings).list()) if settings.blobs else 0


def blobs_to_files(settings: PlatformSettings, target: Path, told: Told) -> dict[str, Fact]:
    """Copy the blobs of an object store below a folder; return what was copied, by its path below it.

    Raises
    ------
    Failed
        A blob is damaged in its store.
    """
    blobs = open_blobs(settings)
    if not isinstance(blobs, ObjectBlobs):
        return {}
    files = dict[str, Fact]()
    found = list(blobs.list())
    for number, blob in enumerate(found):
        name = f"{blob.sha256[:2]}/{blob.sha256[2:]}"
        try:
            fact = written(target / name, blobs.read(blob.sha256))
        except NotFound:
            continue  # removed meanwhile: whatever the databases name stays
        if fact.sha256 != blob.sha256:
            raise Failed(
                f"the blob {blob.sha256[:12]!r} is damaged in its store: the backup was given up",
                value=blob.sha256,
                hint="aimass doctor names what needs it; put the bytes back, or remove what needs them, and repeat",
            )
        files[name] = fact
        told((number + 1) / len(found), "blobs")
    return files


@contextmanager
def filled_store(settings: PlatformSettings, place: Path, told: Told) -> Iterator[None]:
    """Bring the blobs of a restored folder into the object store of a platform; after a fault it is as it was."""
    file = claim_file(DataDir(settings.data_dir))
    bucket = open_bucket(settings.blobs)
    claim(bucket, file)
    was_empty = next(bucket.list("marks"), None) is None
    try:
        source, store = FolderBlobs(DataDir(place).blobs), open_blobs(settings)
        _bring(source, store, told)
        shutil.rmtree(source.root)
        yield
    except BaseException:
        if was_empty:
            for folder in ("marks", "parts"):
                bucket.remove(*(found.name for found in bucket.list(folder)))
            release(bucket, file)
        raise


def _bring(source: FolderBlobs, store: Blobs, told: Told) -> None:
    found = list(source.list())
    for number, blob in enumerate(found):
        with source.open(blob.sha256) as file:
            store.put(iter(lambda: file.read(_CHUNK), b""))
        told((number + 1) / len(found), "blobs")


def written(path: Path, pieces: Iterable[bytes]) -> Fact:
    """Write a file from pieces; return what it is."""
    digest, size = new_hash(), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with clear_errors("the copy from an object store"):
        try:
            with path.open("wb") as file:
                for piece in pieces:
                    digest.update(piece)
                    size += file.write(piece)
        except NotFound:
            path.unlink()
            raise
    return Fact(sha256=digest.hexdigest(), size=size)
