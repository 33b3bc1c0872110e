"""Tables in an object store: commits by conditional puts, and reading through local copies of the files.

``tables/<path>/`` holds the files of a table; ``leases/<path>/`` the mark of its writer; ``used/<path>/`` when it was stamped. At the
path itself lies a copy: of the whole log, as the store has it, and of the data files that somebody has read.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path

import orjson

from aimass.infra.objects import Bucket, Found
from aimass.infra.tables.copies import Copies
from aimass.infra.tables.leases import LAPSES_S, Lease
from aimass.infra.tables.mounts import ELSEWHERE
from aimass.infra.tables.port import LOG, TableFile, Target
from aimass.kernel.errors import NotFound, Unavailable
from aimass.kernel.ids import new_id

_TAGS = ".tags"  # beside the copy of a log: what of the store it is, so that it goes with it
_READERS = 16
_TRIES = 20


class ObjectTables:
    """Tables in an object store.

    Parameters
    ----------
    root
        The folder that stands for the place on this machine: a table is named by a path below it.
    bucket
        The place; nothing but these tables lies in it.
    options
        What a client of Delta has to be told; it holds secrets.
    budget_bytes
        Room for local copies of data files.
    lapses_s
        After how long the lease of a writer on another machine that died is free.
    """

    def __init__(
        self,
        root: Path,
        bucket: Bucket,
        options: Mapping[str, str],
        budget_bytes: int,
        *,
        lapses_s: float = LAPSES_S,
    ) -> None:
        self.root, self.bucket = root, bucket
        self._options = dict(options)
        self._lapses_s = lapses_s
        self._copies = Copies(root, budget_bytes)

    # -- writing

    @contextmanager
    def lease(self, path: Path) -> Iterator[None]:
        """Hold the one write lease of a table: first that of this machine, then that of the store."""
        with _locked(self._hidden(path, "lease")):
            lease = Lease(self.bucket, f"leases/{self._name(path)}/lease", self._machine, self._lapses_s)
            lease.take()
            try:
                yield
            finally:
                lease.give_back()

    def target(self, path: Path) -> Target:
        """Return where a table is written."""
        address = f"{str(self.bucket.place).rstrip('/')}/{self._object(path)}"
        return Target(address=address, options=self._options)

    def put(self, path: Path, name: str, file: Path) -> None:
        """Send a finished file."""
        self.bucket.put(self._object(path, name), file)
        self._copies.link(file, path / name)

    def copy(self, source: Path, name: str, path: Path, new_name: str) -> bool:
        """Let the store copy a data file within itself."""
        self.bucket.copy(self._object(source, name), self._object(path, new_name))
        self._copies.link(source / name, path / new_name)
        return True

    def rewrite(self, path: Path, name: str, data: bytes) -> None:
        """Write a file of the log again."""
        self.bucket.put(self._object(path, name), data)
        self.refresh(path)

    def remove(self, path: Path, names: Iterable[str]) -> None:
        """Remove files, and their copies."""
        found = list(names)
        self.bucket.remove(*(self._object(path, name) for name in found))
        for name in found:
            (path / name).unlink(missing_ok=True)
        self.refresh(path)

    def sweep(self, path: Path) -> None:
        """Remove the copies of what the table has no more."""
        there = {file.name for file in self.files(path)}
        for copy in [*path.rglob("*.parquet")] if path.is_dir() else ():
            name = copy.relative_to(path).as_posix()
            if name not in there and not name.startswith(f"{LOG}/"):
                copy.unlink(missing_ok=True)
        self.refresh(path)

    def clear(self, path: Path) -> None:
        """Remove everything of a table, the log last: what a crash leaves is still found as a table."""
        found = sorted(self.bucket.list(self._object(path)), key=lambda file: f"/{LOG}/" in file.name)
        self.bucket.remove(*(file.name for file in found))
        shutil.rmtree(path, ignore_errors=True)

    def drop(self, path: Path) -> None:
        """Remove everything below a path, with its marks."""
        self.clear(path)
        for kind in ("leases", "used"):
            self.bucket.remove(*(file.name for file in self.bucket.list(f"{kind}/{self._name(path)}")))
        shutil.rmtree(self._hidden(path, ""), ignore_errors=True)

    def stamp(self, path: Path) -> None:
        """Let a table count as used now."""
        self.bucket.put(f"used/{self._name(path)}/used", b"")

    # -- reading

    def refresh(self, path: Path, version: int | None = None) -> None:
        """Make the copy of the log what the log is; one that tells the wanted version already is left as it is."""
        if version is not None and (path / LOG / f"{version:020}.json").exists():
            return None
        if _tags(self._log(path)) == self._known(path):
            return None
        with _locked(self._hidden(path, "copy")):
            for _ in range(_TRIES):
                with suppress(NotFound):  # a file of the log went between the list and the read
                    return self._follow(path, self._log(path))
        raise Unavailable(f"the log of the table {path.name!r} changes too fast to be read", hint="repeat")

    def bring(self, path: Path, names: Iterable[str]) -> None:
        """Fetch the data files of which there is no copy."""
        missing = [name for name in names if not self._copies.has(path / name)]
        if missing:
            with ThreadPoolExecutor(_READERS) as pool:
                list(pool.map(lambda name: self._fetch(path, name), missing))

    def files(self, path: Path) -> Iterator[TableFile]:
        """Yield all files of a table."""
        below = self._object(path)
        for file in self.bucket.list(below):
            yield TableFile(name=file.name.removeprefix(f"{below}/"), size=file.size, at=file.at)

    def read(self, name: str) -> Iterator[bytes]:
        """Yield a file as the store has it, past the copies; its name begins with that of its table."""
        yield from self.bucket.read(f"tables/{name}")

    def used_at(self, path: Path) -> datetime | None:
        """Return when a table was written or stamped last."""
        moments = [file.at for file in self._log(path).values()]
        if moments:
            with suppress(NotFound):
                moments.append(self.bucket.head(f"used/{self._name(path)}/used").at)
        return max(moments, default=None)

    def folders(self, path: Path) -> list[Path]:
        """Return the folders in a folder."""
        return sorted(path / name for name in self.bucket.folders(self._object(path)))

    # -- the copy of a log

    def _log(self, path: Path) -> dict[str, Found]:
        below = self._object(path, LOG)
        return {file.name.removeprefix(f"{below}/"): file for file in self.bucket.list(below)}

    def _known(self, path: Path) -> dict[str, str]:
        try:
            return orjson.loads((path / _TAGS).read_bytes())
        except FileNotFoundError:
            return {}

    def _follow(self, path: Path, log: Mapping[str, Found]) -> None:
        """Bring what is new in its order, so that whoever reads meanwhile finds no gap; then forget what is gone."""
        known, tags = self._known(path), _tags(log)
        if not log:
            shutil.rmtree(path, ignore_errors=True)
            return
        changed = sorted(name for name, tag in tags.items() if known.get(name) != tag)
        with ThreadPoolExecutor(_READERS) as pool:
            texts = pool.map(lambda name: self.bucket.get(self._object(path, LOG, name)), changed)
            for name, (text, tag) in zip(changed, texts, strict=True):
                self._copies.fetch(path / LOG / name, [text], log[name].at.timestamp())
                tags[name] = tag
        for copy in [*(path / LOG).iterdir()] if (path / LOG).is_dir() else ():
            if copy.name not in log:
                copy.unlink(missing_ok=True)
        self._copies.fetch(path / _TAGS, [orjson.dumps(tags)], 0.0)

    def _fetch(self, path: Path, name: str) -> None:
        with suppress(NotFound):  # whoever reads it misses it, as in a folder
            self._copies.fetch(path / name, self.bucket.read(self._object(path, name)))

    # -- names

    def _name(self, path: Path) -> str:
        name = path.relative_to(self.root).as_posix()
        return "" if name == "." else name

    def _object(self, path: Path, *more: str) -> str:
        return "/".join(part for part in ("tables", self._name(path), *more) if part)

    def _hidden(self, path: Path, name: str) -> Path:
        return self.root / ELSEWHERE / "tables" / self._name(path) / (f".{name}" if name else "")

    @cached_property
    def _machine(self) -> str:
        """Return what names the folder of copies among those of other machines."""
        file, mine = self.root / ELSEWHERE / "machine", new_id()
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(mine)
        draft.write_text(mine)
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
        draft.unlink()
        return file.read_text()


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Be the only one on this machine; the kernel lets go when the process dies."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _tags(log: Mapping[str, Found]) -> dict[str, str]:
    return {name: file.tag for name, file in log.items()}
