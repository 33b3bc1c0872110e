"""Any estimator of scikit-learn, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import polars as pl
from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import all_estimators

from aimass.kernel.errors import Invalid
from aimass.models import Candidate
from aimass.training.recipes.protocol import RecipeContext, Table
from aimass.training.recipes.tabular import TabularRecipe

_ENDS = {"classification": "Classifier", "regression": "Regressor"}
_TREES = ("Tree", "Forest", "Boost")
_SHOWN = 60


class ScikitLearn:
    """What a name says, as a recipe for tables."""

    def fit(self, ctx: RecipeContext) -> Pipeline:
        """Learn preprocessing, transformers and estimator; a setting that does not fit is refused by its name."""
        try:
            return self._table(ctx).fit(ctx)
        except (TypeError, ValueError) as reason:
            said = str(reason).splitlines()[0][:300]
            raise Invalid(
                f"{ctx.params.estimator} refuses its settings or the data: {said}",
                field="params.settings",
                value=ctx.params.settings,
                hint="look the class up in the documentation of scikit-learn",
            ) from reason

    def predict(self, ctx: RecipeContext, model: Pipeline, features: pl.DataFrame) -> Any:
        """Return probabilities in the order of the signature's classes, or numbers."""
        return self._table(ctx).predict(ctx, model, features)

    def evaluate(self, ctx: RecipeContext, model: Pipeline, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return self._table(ctx).evaluate(ctx, model, table)

    def importance(self, ctx: RecipeContext, model: Pipeline) -> Mapping[str, float] | None:
        """Return the weight of each input where the estimator tells it of the columns themselves."""
        return self._table(ctx).importance(ctx, model)

    def package(self, ctx: RecipeContext, model: Pipeline) -> Candidate:
        """Return the ways to write the pipeline down."""
        return self._table(ctx).package(ctx, model)

    def _table(self, ctx: RecipeContext) -> TabularRecipe:
        scale = ctx.params.scale
        if scale is None:
            scale = not any(word in ctx.params.estimator for word in _TREES)
        return TabularRecipe(estimator=estimator_of, scales=scale)


def estimator_of(ctx: RecipeContext) -> Any:
    """Return the unfitted estimator, behind its transformers; one without probabilities is calibrated."""
    kind = "classifier" if ctx.task == "classification" else "regressor"
    name = _full_name(ctx.params.estimator, ctx.task, kind)
    made = _made(_known(kind)[name], ctx.params.settings, ctx, "params.settings")
    if kind == "classifier" and not hasattr(made, "predict_proba"):
        made = CalibratedClassifierCV(made, cv=3)
    before = [
        _made(
            _found(step.name, "transformer", f"params.before.{place}.name"),
            step.settings,
            ctx,
            f"params.before.{place}",
        )
        for place, step in enumerate(ctx.params.before)
    ]
    return make_pipeline(*before, made) if before else made


def _full_name(name: str, task: str, kind: str) -> str:
    known = _known(kind)
    whole = name if name in known else f"{name}{_ENDS[task]}"
    if whole not in known:
        raise Invalid(
            f"scikit-learn has no {kind} {name!r}", field="params.estimator", value=name, allowed=sorted(known)[:_SHOWN]
        )
    return whole


def _found(name: str, kind: str, field: str) -> Any:
    known = _known(kind)
    if name not in known:
        raise Invalid(f"scikit-learn has no {kind} {name!r}", field=field, value=name, allowed=sorted(known)[:_SHOWN])
    return known[name]


@cache
def _known(kind: str) -> dict[str, Any]:
    return dict(all_estimators(type_filter=kind))


def _made(cls: Any, settings: Mapping[str, Any], ctx: RecipeContext, field: str) -> Any:
    """Make an object of a class; the seed and the threads of the run are its own unless they are set."""
    try:
        known = cls().get_params() if not settings else cls(**settings).get_params()
    except TypeError as reason:
        raise Invalid(
            f"{cls.__name__} does not take these settings: {reason}", field=field, value=dict(settings)
        ) from reason
    given = {"random_state": ctx.seed, "n_jobs": ctx.threads}
    own = {name: value for name, value in given.items() if name in known and name not in settings}
    return cls(**{**settings, **own})


RUN = ScikitLearn()
