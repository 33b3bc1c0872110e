from __future__ import annotations

import contextlib
import os
import random
import signal

import polars as pl
import psutil
import pytest

from aimass.cluster import Runner
from aimass.lake import AboutVersion, ListVersions
from tests.fixtures.data import ANN

ROWS = 150_000


def children() -> list[psutil.Process]:
    found = []
    for process in psutil.Process(os.getpid()).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [process] if "aimass.infra.compute.child" in " ".join(process.cmdline()) else []
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_a_collection_that_is_killed_ends_with_every_row_once(data, tmp_path, seed):
    pl.DataFrame({"id": range(ROWS), "text": ["x" * 20] * ROWS}).write_csv(tmp_path / "big.csv")
    text = (tmp_path / "big.csv").read_bytes() + b"oops,bad\n"
    upload, source = data.upload(text), data.source()
    data.pin(source, upload, types={"id": "integer"})
    begun, chance = data.start(source, upload), random.Random(seed)
    for _ in range(2):
        data.rooms.until(children)
        for _ in range(chance.randrange(5, 60)):
            data.rooms.get(Runner).step()
        for process in children():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
    found = data.ended(begun)
    assert (found.state, found.rows, found.quarantined) == ("SUCCEEDED", ROWS, 1), found.error
    assert data.lake.get_version(ANN, AboutVersion(workspace="demo", dataset="customers")).rows == ROWS
    assert len(data.lake.list_versions(ANN, ListVersions(workspace="demo", dataset="customers")).items) == 1
    assert pl.read_delta(str(data.lake.table_path("demo", "customers")))["id"].n_unique() == ROWS
    assert len(pl.read_delta(str(data.lake.quarantine_path("demo", "customers")))) == 1
