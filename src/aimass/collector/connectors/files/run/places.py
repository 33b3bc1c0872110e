"""Where files lie: a folder of this machine, or a bucket."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from aimass.collector.connectors.files.manifest import Parameters
from aimass.collector.connectors.files.progress import Entry
from aimass.collector.connectors.inside import files_below, opened_below
from aimass.collector.connectors.reach import check_path
from aimass.kernel.errors import Forbidden, Invalid, MissingExtra, NotFound, Unavailable

_PIECE = 8 * 1024 * 1024


class Place(Protocol):
    """Something that holds files."""

    def entries(self) -> Iterator[Entry]:
        """Yield every file that may be read."""
        ...

    def is_still(self, entry: Entry) -> bool:
        """Tell whether what was read is the file as it was listed."""
        ...

    def fetched(self, entry: Entry, work: Path) -> Any:
        """Give a context in which a file is a path of this machine; NotFound when it is gone."""
        ...

    def told(self) -> str:
        """Name the place."""
        ...


class Folder:
    """A folder of this machine; links that lead out of it are not followed."""

    def __init__(self, root: str) -> None:
        self._root = check_path(root, "folder")
        self._files: dict[str, Path] = {}

    def told(self) -> str:
        """Name the place."""
        return f"folder {self._root}"

    def entries(self) -> Iterator[Entry]:
        """Yield every file that may be read."""
        if not self._root.is_dir():
            raise NotFound(f"there is no folder {str(self._root)!r}", field="folder", value=str(self._root))
        self._files = files_below(self._root)
        for name, path in self._files.items():
            with suppress(OSError):  # it went while the folder was listed
                yield _entry(name, path.stat())

    def is_still(self, entry: Entry) -> bool:
        """Tell whether a file is as it was when it was listed; one that is gone was read as it was."""
        try:
            return _entry(entry.path, self._files[entry.path].stat()).tag == entry.tag
        except OSError:
            return True

    @contextmanager
    def fetched(self, entry: Entry, work: Path) -> Iterator[Path]:
        """Give a file as a path of this machine, which stays although the file is removed while it is read."""
        del work
        path = self._files.get(entry.path)
        handle = None if path is None else opened_below(self._root, path)
        if path is None or handle is None:
            raise NotFound(f"the file {entry.path!r} is gone", value=entry.path)
        try:
            held = Path(f"/proc/self/fd/{handle}")
            yield held if held.exists() else path.resolve()
        finally:
            os.close(handle)


def _entry(name: str, seen: os.stat_result) -> Entry:
    # the moment at which it came here: a file that was moved or copied keeps the time of its last change, or bears any other
    return Entry(moment=seen.st_ctime_ns, path=name, size=seen.st_size, tag=f"{seen.st_mtime_ns}/{seen.st_size}")


class Bucket:
    """A bucket of an object store that speaks S3."""

    def __init__(self, parameters: Parameters) -> None:
        where = urlsplit(str(parameters.url))
        self._bucket, self._prefix = where.netloc, where.path.strip("/")
        self._library: Any = _obstore()
        options: dict[str, Any] = {"region": parameters.region}
        if parameters.access_key and parameters.secret_key:
            options["access_key_id"] = parameters.access_key
            options["secret_access_key"] = parameters.secret_key.get_secret_value()
        else:
            options["skip_signature"] = True
        if parameters.endpoint:
            options["endpoint"] = parameters.endpoint
        self._store = self._library.store.S3Store(
            self._bucket,
            prefix=self._prefix or None,
            client_options={"allow_http": bool(parameters.endpoint and parameters.endpoint.startswith("http://"))},
            retry_config={"max_retries": 2},
            **options,
        )

    def told(self) -> str:
        """Name the place."""
        return f"bucket {self._bucket}"

    def entries(self) -> Iterator[Entry]:
        """Yield every file that may be read."""
        with self._errors():
            for page in self._store.list():
                yield from map(_object, page)

    def is_still(self, entry: Entry) -> bool:
        """Tell that a copy stays as it was fetched."""
        return bool(entry.tag)

    @contextmanager
    def fetched(self, entry: Entry, work: Path) -> Iterator[Path]:
        """Give a copy of an object as a path of this machine; NotFound when it is another one than was listed."""
        with tempfile.NamedTemporaryFile(dir=work, suffix="-object") as target:
            with self._errors():
                found = self._store.get(entry.path)
                if _object(found.meta).tag != entry.tag:
                    raise NotFound(f"the object {entry.path!r} changed since it was listed", value=entry.path)
                for piece in found.stream(min_chunk_size=_PIECE):
                    target.write(piece)
            target.flush()
            yield Path(target.name)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say in our words what the store answered; its own words may hold the address with a signature."""
        kinds = self._library.exceptions
        try:
            yield
        except (kinds.NotFoundError, FileNotFoundError) as reason:
            if "NoSuchBucket" in str(reason):
                raise NotFound(f"there is no bucket {self._bucket!r}", field="url", value=self._bucket) from None
            raise NotFound("the object is gone", field="url", value=self._bucket) from None
        except (kinds.PermissionDeniedError, kinds.UnauthenticatedError):
            raise Forbidden(
                f"the store refuses bucket {self._bucket!r} to this key",
                field="access_key",
                hint="check access_key and secret_key, and that they may list and read the bucket",
            ) from None
        except kinds.BaseError as reason:
            if "NoSuchBucket" in str(reason):
                raise NotFound(f"there is no bucket {self._bucket!r}", field="url", value=self._bucket) from None
            if "403" in str(reason) or "InvalidAccessKeyId" in str(reason) or "SignatureDoesNotMatch" in str(reason):
                raise Forbidden(f"the store refuses bucket {self._bucket!r} to this key", field="access_key") from None
            raise Unavailable(
                f"the store of bucket {self._bucket!r} does not answer as it should ({type(reason).__name__})",
                field="endpoint",
            ) from None


def _obstore() -> Any:
    try:
        import_module("obstore.store")
        return import_module("obstore")
    except ImportError as reason:
        raise MissingExtra("s3") from reason


def _object(meta: Any) -> Entry:
    moment = int(meta["last_modified"].timestamp() * 1e9)
    tag = str(meta.get("e_tag") or f"{moment}/{meta['size']}")
    return Entry(moment=moment, path=str(meta["path"]), size=int(meta["size"]), tag=tag)


def place_of(parameters: Parameters) -> Place:
    """Open the place of a connection."""
    if parameters.folder is None and parameters.url is None:
        raise Invalid("a connection needs a folder or a bucket", field="folder")
    return Folder(parameters.folder) if parameters.folder is not None else Bucket(parameters)
