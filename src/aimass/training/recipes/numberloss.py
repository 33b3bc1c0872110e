"""What errors of numbers cost: outliers count less where large errors cost their size instead of their square.

References
----------
Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35 (1964) 73-101; his 1.345 loses a twentieth
where errors are normal.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_NORMAL = 1.349  # quartiles of a normal distribution lie so many deviations apart


def large_from(truth: Any, at: float) -> float:
    """Return the error from which on it is large, in the unit of the target: ``at`` times its spread between the quartiles.

    Where the quartiles are the same, the deviation stands for it.

    Examples
    --------
    >>> round(large_from(np.array([0.0, 1.0, 2.0, 3.0, 4.0, 1e9]), 1.349), 2)
    2.5
    """
    low, high = np.quantile(truth, (0.25, 0.75))
    spread = float(high - low) / _NORMAL or float(np.std(truth)) or 1.0
    return at * spread
