"""What a learner knows, written down as a package: what is linear or of scikit-learn as a pipeline and its graph, another one with its own code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelBinarizer, OneHotEncoder, StandardScaler

from aimass.kernel.errors import Failed
from aimass.models import Candidate, CodeCandidate, Package, Parity, Rows, Signature, build_code_package, build_package
from aimass.training.children import served
from aimass.training.children.banditgraph import bandit_graph
from aimass.training.children.bandits import Bandit
from aimass.training.children.online import Online
from aimass.training.children.partial import Partial, places_of
from aimass.training.online import MODELS
from aimass.training.recipes.tabular import STEP, name_at, prepared, to_onnx, to_skops

_TYPES: dict[str, Any] = {"string": pl.String, "float": pl.Float64, "integer": pl.Int64, "boolean": pl.Boolean}
WHY = "models of River do not convert to ONNX, but for those that are linear"


def packaged(folder: Path, learner: Online, signature: Signature, rows: Rows) -> tuple[Package, Parity]:
    """Write a package, and replay rows through it as serving will."""
    if isinstance(learner.model, Bandit):
        bandit, columns = learner.model, _scaled(learner, signature, rows, learner.model.middle, learner.model.spread)
        graph = Candidate(
            signature=signature,
            to_onnx=lambda: bandit_graph(bandit, columns.named_steps["columns"], signature),
            to_python=_no_python,
        )
        return build_package(folder, graph, rows)
    if isinstance(learner.model, Partial):
        pipeline = partial(learner, signature, rows)
    elif learner.spec["model"] in ("logistic_regression", "linear_regression"):
        pipeline = linear(learner, signature, rows)
    else:
        return _with_code(folder, learner, signature, rows)
    candidate = Candidate(
        signature=signature,
        to_onnx=lambda: to_onnx(pipeline, signature),
        to_python=lambda: to_skops(pipeline),
    )
    return build_package(folder, candidate, rows)


def _no_python() -> bytes:
    raise Failed("a policy is written as ONNX alone")


def _with_code(folder: Path, learner: Online, signature: Signature, rows: Rows) -> tuple[Package, Parity]:
    model = learner.packed_model()
    told = {
        "classes": list(signature.classes),
        "columns": learner.columns,
        "one_hot": MODELS[learner.spec["model"]].one_hot,
        "is_joined": MODELS[learner.spec["model"]].is_joined,
        "sha256": sha256(model).hexdigest(),
    }
    name = f"learned_{told['sha256'][:12]}"  # a module of its own beside those of other snapshots
    candidate = CodeCandidate(
        signature=signature,
        entry=f"{name}:Model",
        files={
            f"{name}.py": Path(served.__file__).read_bytes(),
            "learned.bin": model,
            "learned.json": json.dumps(told, ensure_ascii=False).encode(),
        },
        libraries=("river", "numpy"),
        why=WHY,
    )
    return build_code_package(folder, candidate, rows)


def linear(learner: Online, signature: Signature, rows: Rows) -> Pipeline:
    """Return the pipeline that answers like a linear learner: the same scaling and the same weights.

    What is missing gets the mean, which is nothing after scaling: as the learner leaves it out.
    """
    names = places_of(learner.columns)
    scaler = learner.model["StandardScaler"]
    means = np.array([float(scaler.means.get(name, 0.0)) for name in names])
    spread = np.sqrt(np.array([float(scaler.vars.get(name, 0.0)) for name in names]))
    pipeline = _scaled(learner, signature, rows, means, spread)
    if signature.classes:
        _weigh(pipeline.named_steps[STEP], learner, signature.classes, names, spread > 0)
    else:
        pipeline.steps[-1] = (STEP, _line(learner, names, spread > 0))
    return pipeline


def _line(learner: Online, names: Sequence[Any], moves: Any) -> Any:
    """Return a regressor with the weights of the learner, in the unit of the target."""
    target = learner.model["TargetStandardScaler"]
    spread, mean = float(target.var.get()) ** 0.5, float(target.var.mean.get())
    found: Any = SGDRegressor()
    weights = np.array([float(target.regressor.weights.get(name, 0.0)) for name in names])
    found.coef_ = np.where(moves, weights, 0.0) * spread
    found.intercept_ = np.array([float(target.regressor.intercept) * spread + mean])
    found.n_features_in_ = len(names)
    return found


def partial(learner: Online, signature: Signature, rows: Rows) -> Pipeline:
    """Return the pipeline that answers like an estimator that learned with ``partial_fit``."""
    model: Partial = learner.model
    pipeline = _scaled(learner, signature, rows, model.moments.mean, np.sqrt(model.moments.variance))
    blind = np.array([place[1] == "" if isinstance(place, tuple) else False for place in model.places])
    pipeline.steps[-1] = (STEP, answering(model, blind))
    if not model.is_scaled:
        del pipeline.steps[-2]
    return pipeline


def answering(model: Partial, blind: Any) -> Any:
    """Return a copy of an estimator that names its classes, or answers in the unit of the target.

    Places that nothing was learned of change no answer.
    """
    found = deepcopy(model.answering())
    if isinstance(found, MLPRegressor):
        found.coefs_[0][blind] = 0.0
        found.coefs_[-1] *= model.target.scale
        found.intercepts_[-1] = found.intercepts_[-1] * model.target.scale + model.target.mean
        return found
    if isinstance(found, SGDRegressor):
        found.coef_ = found.coef_ * model.target.scale
        found.intercept_ = found.intercept_ * model.target.scale + model.target.mean
        return found
    names = np.array(model.classes, dtype=object)
    found.classes_ = names
    if isinstance(found, GaussianNB):
        found.theta_[:, blind], found.var_[:, blind] = 0.0, 1.0
    elif isinstance(found, MLPClassifier):
        found.coefs_[0][blind] = 0.0
        found._label_binarizer = LabelBinarizer().fit(names)  # noqa: SLF001 what tells its classes
    return found


def _scaled(learner: Online, signature: Signature, rows: Rows, means: Any, spread: Any) -> Pipeline:
    """Return a pipeline whose scaling is that of the learner; its last step is to be replaced."""
    columns = {column["name"]: column for column in learner.columns}
    texts = [(i, c.name) for i, c in enumerate(signature.inputs) if c.type == "string"]
    numbers = [(i, c.name) for i, c in enumerate(signature.inputs) if c.type != "string"]
    known = [columns[name]["categories"] or [""] for _, name in texts]
    pipeline = _fitted(_parts(texts, numbers, known), signature, rows)
    if numbers:
        imputer: Any = pipeline.named_steps["columns"].named_transformers_["numbers"]
        imputer.statistics_[:] = means[len(means) - len(numbers) :]
    scale: Any = pipeline.named_steps["scale"]
    scale.mean_[:], scale.scale_[:], scale.var_[:] = means, np.where(spread > 0, spread, 1.0), spread**2
    return pipeline


def _parts(texts: list[tuple[int, str]], numbers: list[tuple[int, str]], known: list[list[str]]) -> list[Any]:
    """Return what turns columns into numbers: one for each known category, and the mean for what is missing."""
    parts: list[Any] = []
    if texts:
        options: dict[str, Any] = {"handle_unknown": "ignore", "sparse_output": False, "dtype": np.float32}
        options["categories"] = [np.array(one, dtype=object) for one in known]
        parts.append(("strings", OneHotEncoder(**options), [name_at(i) for i, _ in texts]))
    if numbers:
        imputer = SimpleImputer(strategy="mean", keep_empty_features=True)
        parts.append(("numbers", imputer, [name_at(i) for i, _ in numbers]))
    return parts


def _fitted(parts: list[Any], signature: Signature, rows: Rows) -> Pipeline:
    """Return a pipeline of the right shape; what it learns here is replaced."""
    frame = pl.DataFrame({c.name: pl.Series(rows.columns[c.name], dtype=_TYPES[c.type]) for c in signature.inputs})
    names = signature.classes or ("one", "other")  # of a number it is the scaling alone that is wanted
    frame = pl.concat([frame] * (1 + 2 * len(names) // frame.height))
    options: dict[str, Any] = {"loss": "log_loss", "max_iter": 1, "tol": None}
    steps = [("columns", ColumnTransformer(parts, sparse_threshold=0.0)), ("scale", StandardScaler())]
    pipeline = Pipeline([*steps, (STEP, SGDClassifier(**options))])
    labels = np.resize(np.array(names, dtype=object), frame.height)
    return pipeline.fit(prepared(frame, signature), labels)


def _weigh(estimator: Any, learner: Online, classes: Sequence[str], names: Sequence[Any], moves: Any) -> None:
    """Give a classifier the weights of the learner: one row of them for two classes, else one for each."""
    known: Mapping[str, Any] = learner.model["OneVsRestClassifier"].classifiers
    rows = [known[name] for name in (classes[1:] if len(classes) == 2 else classes)]  # noqa: PLR2004 two classes
    weights = np.array([[float(one.weights.get(name, 0.0)) for name in names] for one in rows])
    estimator.coef_ = np.where(moves, weights, 0.0)
    estimator.intercept_ = np.array([float(one.intercept) for one in rows])
