"""One place in an object store: objects by name, with conditional puts, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from aimass.infra.objects.settings import ObjectStoreSettings, Place
from aimass.kernel.errors import AimassError, MissingExtra, NotFound, Unavailable

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import S3Store

_RANGE = 8 << 20
_TIMEOUT = timedelta(seconds=60)
_RETRY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object: its name below the place, size, tag of its content, and when the store says it was written."""

    name: str
    size: int
    tag: str
    at: datetime


class Lost(AimassError):
    """A conditional put found something else than it was told: somebody else was faster."""

    code = "conflict"
    status = 409


class Bucket:
    """Objects below one prefix of a bucket.

    Parameters
    ----------
    place
        The bucket and its prefix.
    settings
        Where it answers, and the key; read from the environment when not given.
    patience
        How long a request is repeated that the store does not answer.

    Raises
    ------
    MissingExtra
        obstore is not installed.
    """

    def __init__(self, place: Place, settings: ObjectStoreSettings | None = None, patience: timedelta = _RETRY) -> None:
        try:
            from obstore.store import S3Store  # an extra
        except ImportError as reason:
            raise MissingExtra("s3") from reason
        settings = settings or ObjectStoreSettings()
        self.place = place
        self._store: S3Store = S3Store(
            place.bucket,
            prefix=place.prefix or None,
            config=settings.config(),  # pyright: ignore[reportArgumentType]
            client_options={"allow_http": settings.endpoint.startswith("http://"), "timeout": _TIMEOUT},
            retry_config={"max_retries": 5, "retry_timeout": patience},
        )

    def get(self, name: str) -> tuple[bytes, str]:
        """Return a small object and its tag; raise NotFound when it is missing."""
        import obstore

        with self._told(name):
            found = obstore.get(self._store, name)
            return bytes(found.bytes()), found.meta["e_tag"] or ""

    def head(self, name: str) -> Found:
        """Return what an object is; raise NotFound when it is missing."""
        import obstore

        with self._told(name):
            return _found(obstore.head(self._store, name))

    def read(self, name: str) -> Iterator[bytes]:
        """Yield an object in pieces, each asked for by itself, so that an answer that breaks off is asked for again."""
        import obstore

        size, start = self.head(name).size, 0
        while start < size:
            end = min(size, start + _RANGE)
            with self._told(name):
                piece = bytes(obstore.get_range(self._store, name, start=start, end=end))
            yield piece
            start = end

    def put(self, name: str, data: bytes | Path) -> None:
        """Store an object as a whole, over whatever is there."""
        import obstore

        with self._told(name):
            obstore.put(self._store, name, data)

    def put_new(self, name: str, data: bytes) -> None:
        """Store a small object where none is; raise Lost where one is."""
        import obstore

        with self._told(name):
            obstore.put(self._store, name, data, mode="create")

    def put_over(self, name: str, data: bytes, tag: str) -> None:
        """Store a small object over the one with this tag; raise Lost when another one, or none, is there."""
        import obstore

        with self._told(name):
            obstore.put(self._store, name, data, mode={"e_tag": tag})

    def copy(self, name: str, new_name: str) -> None:
        """Let the store copy an object within itself."""
        import obstore

        with self._told(name):
            obstore.copy(self._store, name, new_name)

    def folders(self, below: str = "") -> list[str]:
        """Return the names of the folders in a folder."""
        import obstore

        with self._told(below):
            found = obstore.list_with_delimiter(self._store, prefix=below or None)
        return [prefix.rstrip("/").rsplit("/", 1)[-1] for prefix in found["common_prefixes"]]

    def remove(self, *names: str) -> None:
        """Forget objects; a missing one is no error."""
        import obstore

        for name in names:  # one by one: not every store knows how to delete many
            try:
                with self._told(name):
                    obstore.delete(self._store, name)
            except NotFound:
                continue

    def list(self, below: str = "") -> Iterator[Found]:
        """Yield the objects whose names begin with this folder."""
        import obstore

        pages = iter(obstore.list(self._store, prefix=below or None, chunk_size=1000))
        while True:
            with self._told(below):
                page = next(pages, None)
            if page is None:
                return
            yield from map(_found, page)

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Say in one sentence what the store answered; never what the client was told."""
        from obstore import exceptions

        try:
            yield
        except FileNotFoundError as reason:
            raise NotFound(f"there is no object {name!r} in {self.place}", value=name) from reason
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError) as reason:
            raise Lost(f"the object {name!r} in {self.place} was changed meanwhile", value=name) from reason
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as reason:
            raise Unavailable(
                f"the object store refuses the key for {self.place}",
                hint="look at AIMASS_S3_KEY_ID and AIMASS_S3_SECRET, at the rights of the key, and at the machine's clock",
            ) from reason
        except (exceptions.BaseError, OSError, ValueError) as reason:
            raise Unavailable(
                f"the object store does not answer for {self.place}",
                hint="look at the store, at AIMASS_S3_ENDPOINT and at AIMASS_S3_REGION",
            ) from reason


def _found(meta: ObjectMeta) -> Found:
    return Found(name=meta["path"], size=meta["size"], tag=meta["e_tag"] or "", at=meta["last_modified"])
