"""What jobs load before they begin: a library that takes a second to load is loaded by those alone who learn with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

LEARNS = ("sklearn", "scipy", "lightgbm", "skl2onnx", "pandas")


@pytest.mark.parametrize("job", ["split", "evaluate", "metric_gate"])
def test_a_job_that_learns_nothing_loads_no_library_that_learns(job):
    code = f"import sys, aimass.training.children.{job}; print(*sorted(set({LEARNS}) & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
