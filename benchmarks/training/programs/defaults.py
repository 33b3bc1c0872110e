"""Train the defaults of LightGBM, XGBoost and a linear model: ``defaults.py <folder> <task> <seed>``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import lightgbm
import polars as pl
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler


def main(folder: Path, task: str, seed: int) -> None:
    """Learn, answer the test rows, and write the answers."""
    train, test = (pl.read_parquet(folder / f"{part}.parquet") for part in ("train", "test"))
    truth = train.drop_in_place("__truth").to_numpy()
    test = test.drop("__truth")
    texts = [name for name, kind in zip(test.columns, test.dtypes, strict=True) if kind == pl.String]
    numbers = [name for name in test.columns if name not in texts]
    rows = {part: _filled(frame, texts, numbers) for part, frame in (("train", train), ("test", test))}
    is_class = task == "classification"
    for name, model in _models(is_class=is_class, texts=texts, numbers=numbers, seed=seed).items():
        model.fit(rows["train"], truth)
        said = model.predict_proba(rows["test"]) if is_class else model.predict(rows["test"])
        (folder / f"{name}.json").write_text(json.dumps(said.tolist()))
    print(json.dumps({"rows": test.height}))


def _filled(frame: pl.DataFrame, texts: list[str], numbers: list[str]) -> pl.DataFrame:
    return frame.select(
        *(pl.col(name).fill_null("") for name in texts),
        *(pl.col(name).cast(pl.Float64).fill_null(float("nan")) for name in numbers),
    )


def _models(*, is_class: bool, texts: list[str], numbers: list[str], seed: int) -> dict[str, Any]:
    coded = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    boosted = {
        "LightGBM": (lightgbm.LGBMClassifier if is_class else lightgbm.LGBMRegressor)(
            verbosity=-1, random_state=seed, n_jobs=2
        ),
        "XGBoost": (xgboost.XGBClassifier if is_class else xgboost.XGBRegressor)(random_state=seed, n_jobs=2),
    }
    parts = [(coded, texts), ("passthrough", numbers)]
    found: dict[str, Any] = {
        name: make_pipeline(make_column_transformer(*parts), model) for name, model in boosted.items()
    }
    filled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    line = LogisticRegression(max_iter=1000) if is_class else Ridge()
    found["linear"] = make_pipeline(make_column_transformer((one_hot, texts), (filled, numbers)), line)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
