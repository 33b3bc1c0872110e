"""Nothing that is referenced is ever removed: blobs, references, jobs and collectors in any order."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from aimass.apps.storage.service.files import Files
from aimass.apps.storage.settings import StorageSettings
from aimass.infra.blobs import Blobs, FolderBlobs
from aimass.infra.database import Database
from aimass.kernel.capability import Capabilities, Capability
from aimass.kernel.errors import NotFound
from aimass.kernel.keeping import Needed
from aimass.kernel.layout import DataDir
from aimass.kernel.registry import Registry

GRACE = timedelta(hours=24)


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 5, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


class References(set[str]):
    """What a room names, as its table would hold it."""


def named(registry: Registry) -> Iterator[Needed]:
    return (Needed(sha256=one, what="uploads") for one in sorted(registry.get(References)))


def world(folder: Path, clock: Clock) -> tuple[Registry, Files]:
    registry = Registry()
    layout = DataDir(folder)
    for path in layout.folders():
        path.mkdir(parents=True)
    registry.put(DataDir, layout)
    registry.put(Database, Database.memory(clock))
    registry.put(Blobs, FolderBlobs(layout.blobs, clock))
    registry.put(References, References())
    room = Capability(name="room", title="Room", blobs=f"{__name__}:named")
    registry.put(Capabilities, Capabilities([room]))
    return registry, Files(registry, StorageSettings())


class Sweeping(RuleBasedStateMachine):
    """Rooms store, name and forget; time goes by; collectors come, two of them at once, and die at any point."""

    texts = Bundle("texts")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="am"))
        self.clock = Clock()
        self.registry, self.files = world(self.folder, self.clock)
        self.blobs = self.registry.get(Blobs)
        self.named = self.registry.get(References)
        self.young: dict[str, datetime] = {}

    def teardown(self) -> None:
        self.registry.get(Database).close()
        shutil.rmtree(self.folder)

    @rule(target=texts, text=st.binary(max_size=3))
    def store(self, text: bytes) -> bytes:
        """Put a blob, which nothing names yet."""
        self.young[self.blobs.put(text).sha256] = self.clock.now()
        return text

    @rule(text=texts)
    def store_and_name(self, text: bytes) -> None:
        """Put a blob, then commit its name."""
        one = self.blobs.put(text).sha256
        self.young[one] = self.clock.now()
        self.named.add(one)

    @rule(text=texts)
    def name_again(self, text: bytes) -> None:
        """Name a blob that may have been collected: whoever touches it first knows."""
        one = sha256(text).hexdigest()
        try:
            self.blobs.touch(one)
        except NotFound:
            return
        self.young[one] = self.clock.now()
        self.named.add(one)

    @rule(text=texts)
    def forget(self, text: bytes) -> None:
        """Name a blob no more."""
        self.named.discard(sha256(text).hexdigest())

    @rule(hours=st.integers(min_value=1, max_value=40))
    def time_goes_by(self, hours: int) -> None:
        """Let time go by."""
        self.clock.moment += timedelta(hours=hours)

    @rule()
    def collect(self) -> None:
        """Collect."""
        before = {blob.sha256 for blob in self.blobs.list()}
        told = sum(going.size_bytes for going in self.files.purge())
        gone = before - {blob.sha256 for blob in self.blobs.list()}
        assert told >= 0
        assert all(self.young[one] < self.clock.now() - GRACE for one in gone)

    @rule(text=texts, late=st.sampled_from(["put", "touch", "name"]))
    def collect_while_somebody_names(self, text: bytes, late: str) -> None:
        """Name a blob between the moment at which a collector asked the rooms and the one at which it removes."""
        one = sha256(text).hexdigest()
        before = self.clock.now() - GRACE
        old = [blob for blob in self.blobs.list() if blob.put_at < before and blob.sha256 not in self.named]
        if late == "put":
            self.store_and_name(text)
        elif late == "touch":
            self.name_again(text)
        for blob in old:
            self.blobs.remove_older(blob.sha256, before)
        if late == "name" and self.blobs.exists(one):
            self.name_again(text)

    @rule(count=st.integers(min_value=0, max_value=2))
    def collect_and_die(self, count: int) -> None:
        """Remove some of what is due, and no more, as a killed collector does; another one does the rest some day."""
        before = self.clock.now() - GRACE
        old = [blob for blob in self.blobs.list() if blob.put_at < before and blob.sha256 not in self.named]
        for blob in old[:count]:
            self.blobs.remove_older(blob.sha256, before)

    @invariant()
    def what_is_named_is_there(self) -> None:
        """A named blob can always be read, and is what it was."""
        assert all(self.blobs.verify(one) for one in self.named)

    @invariant()
    def what_was_stored_of_late_is_there(self) -> None:
        """A blob within its grace is there, named or not."""
        fresh = {one for one, at in self.young.items() if at >= self.clock.now() - GRACE}
        assert all(self.blobs.exists(one) for one in fresh)


TestSweeping = Sweeping.TestCase
TestSweeping.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_everything_that_nothing_names_goes_in_the_end(tmp_path: Path) -> None:
    clock = Clock()
    registry, files = world(tmp_path, clock)
    blobs = registry.get(Blobs)
    kept, gone = blobs.put(b"kept"), blobs.put(b"gone")
    registry.get(References).add(kept.sha256)
    assert files.purge() == []
    clock.moment += GRACE + timedelta(seconds=1)
    (told,) = files.purge()
    assert (told.kind, told.count, told.size_bytes, told.name) == ("unnamed file", 1, 4, gone.sha256[:12])
    assert [blob.sha256 for blob in blobs.list()] == [kept.sha256]


def test_what_goes_is_told_before_and_nothing_else_goes(tmp_path: Path) -> None:
    clock = Clock()
    registry, files = world(tmp_path, clock)
    for text in (b"a", b"bb", b"ccc"):
        registry.get(Blobs).put(text)
        clock.moment += timedelta(hours=20)
    told = files.going()
    assert sum(going.size_bytes for going in told) == 6
    due = [going for going in told if going.goes_at <= clock.now()]
    assert sum(going.size_bytes for going in due) == sum(going.size_bytes for going in files.purge()) == 3


def test_a_missing_blob_is_counted(tmp_path: Path) -> None:
    registry, files = world(tmp_path, Clock())
    registry.get(References).add(sha256(b"lost").hexdigest())
    assert files.holdings()[1] == 1


def test_a_large_log_is_begun_anew_and_its_writer_goes_on(tmp_path: Path) -> None:
    registry, _ = world(tmp_path, Clock())
    path = tmp_path / "logs" / "control.log"
    with path.open("ab") as writer:
        writer.write(b"x" * 3 * 2**20)
        writer.flush()
        Files(registry, StorageSettings(log_mib=2)).purge()
        writer.write(b"more")
    assert path.read_bytes() == b"more"
    assert path.with_suffix(".log.1").stat().st_size == 3 * 2**20
