"""A job that reports and then waits for a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from aimass.infra.compute import JobContext


def wait(ctx: JobContext) -> dict[str, Any]:
    while not Path(ctx.params["file"]).exists():
        ctx.report(0.43, "fold 3 of 7")
        time.sleep(0.05)
    return {}
