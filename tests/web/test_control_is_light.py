from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = {"polars", "duckdb", "deltalake", "sklearn", "lightgbm", "onnx", "onnxruntime", "skl2onnx", "numpy", "pandas"}
BUILD = """
import sys
from pathlib import Path
from aimass.bootstrap.application import create_control
from aimass.bootstrap.platform import open_platform
from aimass.bootstrap.settings import read_settings
app = create_control(open_platform(read_settings(Path(sys.argv[1]))))
{more}
print("loaded", *sorted({{name.partition(".")[0] for name in sys.modules}}))
import os
sys.stdout.flush()
os._exit(0)
"""


def loaded(folder: Path, more: str = "") -> set[str]:
    """The packages in a control process after its start, and after what is done then."""
    command = [sys.executable, "-c", BUILD.format(more=more), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_control_loads_no_library_that_belongs_into_children(tmp_path: Path) -> None:
    assert not loaded(tmp_path) & HEAVY


def test_describing_every_operation_loads_none_either(tmp_path: Path) -> None:
    assert not loaded(tmp_path, "assert len(app.openapi()['paths']) > 100") & HEAVY
