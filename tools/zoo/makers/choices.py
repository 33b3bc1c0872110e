"""Which of ten actions to take, learned from decisions that somebody else drew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.datasets import load_digits

from tools.zoo.makers.digits import MAKING as DIGITS
from tools.zoo.making import Making


def _rows(data: Path | None) -> pl.DataFrame:
    """Return decisions: each picture was named by a draw, and the draw earned 1 where it was right.

    Classes turned into decisions whose best is known, as in M. Dudik, J. Langford and L. Li, arXiv:1103.4601.
    """
    del data
    digits: Any = load_digits()
    draw = np.random.default_rng(0)
    whole = np.tile(np.arange(len(digits.target)), 4)  # four decisions about each picture
    chances = np.full((len(whole), 10), 0.05)
    chances[np.arange(len(whole)), (digits.target[whole] + draw.integers(0, 3, len(whole))) % 10] += 0.5
    taken = np.array([draw.choice(10, p=row) for row in chances])
    columns = {f"ink_{row}": digits.images[whole][:, row].mean(axis=1) for row in range(8)}
    columns |= {f"down_{column}": digits.images[whole][:, :, column].mean(axis=1) for column in range(8)}
    columns |= {
        f"part_{n}": digits.images[whole][:, n // 4 * 2 :, n % 4 * 2 :][:, :2, :2].mean(axis=(1, 2)) for n in range(16)
    }
    return pl.DataFrame(columns).with_columns(
        pl.Series("named", [f"digit {one}" for one in taken]),
        pl.Series("chance", chances[np.arange(len(whole)), taken]),
        pl.Series("earned", (taken == digits.target[whole]).astype(float)),
        pl.Series("picture", whole),
    )


MAKING = Making(
    rows=_rows,
    task="policy",
    recipe="lightgbm_policy",
    target="earned",
    more={"action": "named", "propensity": "chance", "group": "picture"},
    about={
        "title": "Choices among ten",
        "summary": "Draws one of ten names for a picture in 32 figures, with the chance that it had, and tries the others now and then.",
        "family": "bandit",
        "licence": "Apache-2.0",
        "data": DIGITS.about["data"],
        "card": {
            "intended_use": "To try out decisions with exploration and rewards: ask, note which action came with which chance, feed back what "
            "it earned, and let a learner follow the endpoint.",
            "limits": "- The decisions were drawn by a program, and the reward is whether the name was right: a world whose best is "
            "known.\n- It draws anew at each call, so the same question may get another answer.",
        },
    },
)
