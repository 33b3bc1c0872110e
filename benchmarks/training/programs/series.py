"""Forecast series with the models of statsforecast: ``series.py <file>``, JSON with ``asked`` (lists, oldest first) and ``steps``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from statsforecast.models import MSTL, AutoETS, AutoTheta, SeasonalNaive

DAY, WEEK = 24, 168
MODELS = {
    "SeasonalNaive, a week": lambda: SeasonalNaive(season_length=WEEK),
    "AutoTheta, a day": lambda: AutoTheta(season_length=DAY),
    "AutoETS, a day": lambda: AutoETS(season_length=DAY),
    "MSTL with AutoETS, day and week": lambda: MSTL(season_length=[DAY, WEEK], trend_forecaster=AutoETS(model="ZZN")),
}


def main(file: Path) -> None:
    """Answer every question with each model, and print answers and seconds of CPU."""
    wish = json.loads(file.read_text())
    asked = [np.array(one, dtype=float) for one in wish["asked"]]
    found: dict[str, Any] = {}
    for name, make in MODELS.items():
        make().forecast(y=asked[0], h=2)  # what is compiled once is no cost of a forecast
        began = time.process_time()
        said = [make().forecast(y=one, h=wish["steps"])["mean"].tolist() for one in asked]
        found[name] = {"said": said, "cpu_s": time.process_time() - began}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
