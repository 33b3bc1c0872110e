"""The names of the folders and files of a data directory; nothing here touches the disk."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_MAX_SOCKET = 100  # a Unix address holds 108 bytes on Linux and 104 on macOS


@dataclass(frozen=True, slots=True)
class DataDir:
    """Where everything of one platform lies.

    Examples
    --------
    >>> DataDir(Path("/srv/aimass")).lake.name
    'lake'
    """

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite file of the platform."""
        return self.root / "aimass.db"

    @property
    def workflows(self) -> Path:
        """The SQLite file of the durable workflows."""
        return self.root / "workflows.db"

    @property
    def blobs(self) -> Path:
        """Content-addressed files."""
        return self.root / "blobs"

    @property
    def cache(self) -> Path:
        """Copies of what lies elsewhere; nothing is lost with them."""
        return self.root / "cache"

    @property
    def lake(self) -> Path:
        """Delta tables, ``<workspace>/<dataset>``."""
        return self.root / "lake"

    @property
    def jobs(self) -> Path:
        """One folder per job."""
        return self.root / "jobs"

    @property
    def packages(self) -> Path:
        """Model packages as they are served, by digest."""
        return self.root / "packages"

    @property
    def environments(self) -> Path:
        """Environments of their own for packages that bring a lock, by its hash."""
        return self.root / "environments"

    @property
    def records(self) -> Path:
        """Inference records that wait for the lake."""
        return self.root / "records"

    @property
    def push(self) -> Path:
        """Rows that were pushed and wait to be collected, ``<workspace>/<source>``."""
        return self.root / "push"

    @property
    def series(self) -> Path:
        """Counters and histograms that wait for the database."""
        return self.root / "series"

    @property
    def slow(self) -> Path:
        """Slow and failed requests that wait for the database."""
        return self.root / "slow"

    @property
    def gateway(self) -> Path:
        """What control and gateway tell each other."""
        return self.root / "gateway"

    @property
    def run(self) -> Path:
        """Locks, process ids and sockets of the running platform."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """Logs of the processes."""
        return self.root / "logs"

    @property
    def keys(self) -> Path:
        """Secret keys, readable by the owner alone."""
        return self.root / "keys"

    @property
    def restoring(self) -> Path:
        """What a restore lays down before it counts; there only while a restore runs, or when one was cut off."""
        return self.root / ".restore"

    @property
    def erasures(self) -> Path:
        """The ledger of erasures: what no restore may forget."""
        return self.root / "erasures.ndjson"

    def socket(self, name: str) -> Path:
        """Return where a Unix socket lies: in ``run``, or in the folder for temporary files when that is too long.

        Examples
        --------
        >>> str(DataDir(Path("/srv/aimass")).socket("control.sock"))
        '/srv/aimass/run/control.sock'
        """
        path = self.run / name
        if len(str(path)) < _MAX_SOCKET:
            return path
        digest = sha256(str(self.root).encode()).hexdigest()[:16]
        return Path("/tmp") / f"aimass-{digest}-{name}"  # noqa: S108 the socket's own rights guard it

    def folders(self) -> tuple[Path, ...]:
        """Return every folder that has to exist."""
        return (
            self.blobs,
            self.lake,
            self.jobs,
            self.packages,
            self.environments,
            self.records,
            self.series,
            self.slow,
            self.gateway,
            self.run,
            self.logs,
            self.keys,
        )
