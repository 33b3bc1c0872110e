from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aimass.infra.compute import ComputeContract, ProcessCompute, child_environment


@pytest.fixture
def compute(tmp_path: Path) -> Iterator[ProcessCompute]:
    compute = ProcessCompute(tmp_path / "jobs", environment=child_environment(), nice=0)
    yield compute
    compute.close()


class TestProcessCompute(ComputeContract):
    __test__ = True
