"""What a study looks at in its trials, and how often."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aimass.training.domain.looks import Rhythm, rhythm_of
from aimass.training.domain.studies import Study
from aimass.training.recipes import find_recipe


def rhythm_in(study: Study) -> Rhythm:
    """Return the steps that the pruner of a study knows: without one there are the folds alone, and so of a recipe from a file."""
    if study.pruner == "none" or study.source is not None:
        return Rhythm()
    recipe = find_recipe(study.recipe)
    return rhythm_of(recipe.steps, study.space, recipe.check(study.params))


def watched(study: Study) -> str:
    """Return the metric that is looked at: the first objective, as a fold calls it."""
    return study.objectives[0].metric.removeprefix("cv_")


def looks_at(study: Study) -> dict[str, Any] | None:
    """Return what a trial is to tell while it learns; None where nobody gives it up, or it learns in one go."""
    rhythm = rhythm_in(study)
    return None if rhythm.span == 1 else {"metric": watched(study), **asdict(rhythm)}
