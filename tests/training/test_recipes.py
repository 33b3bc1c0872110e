from __future__ import annotations

import sys
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from subprocess import run
from typing import ClassVar

import numpy as np
import pytest

from aimass.kernel.errors import Invalid, MissingExtra
from aimass.training.domain.autos import Constraints
from aimass.training.recipes import GROUP, check_task, find_recipe, load_recipe, recipes
from aimass.training.recipes.contract import (
    AnomalyContract,
    ClusterContract,
    ImageContract,
    ImageNumberContract,
    NumberContract,
    RankingContract,
    RecipeContract,
)
from aimass.training.recipes.contract_of_boxes import DetectionContract
from aimass.training.recipes.contract_of_episodes import EpisodeContract
from aimass.training.recipes.contract_of_labels import LabelContract
from aimass.training.recipes.contract_of_marks import TaggingContract
from aimass.training.recipes.contract_of_policies import PolicyContract
from aimass.training.recipes.contract_of_series import ForecastContract
from aimass.training.recipes.languages.contract import LanguageContract, SummaryContract
from aimass.training.recipes.protocol import parameters_of
from aimass.training.recipes.sounds.contract import SoundContract
from aimass.training.recipes.text_linear.contract import (
    OneTextContract,
    TextContract,
    TextOfLabelsContract,
    TextOfNumbersContract,
)
from aimass.training.selecting import Facts, recommend
from aimass.training.tasks import TASKS
from tests.training import (  # noqa: F401 their suites count too
    test_detection,
    test_labels,
    test_language,
    test_recurrent,
    test_sounds,
    test_tagging,
    test_texts,
    test_torch_images,
    test_torch_recipes,
    test_torch_texts,
)


class TestLogisticRegression(RecipeContract):
    __test__ = True
    recipe = "logistic_regression"


class TestLinearRegression(NumberContract):
    __test__ = True
    recipe = "linear_regression"


class TestLinearRegressionOfOrders(RankingContract):
    __test__ = True
    recipe = "linear_regression"


class TestRandomForestOfOrders(RankingContract):
    __test__ = True
    recipe = "random_forest"
    quick: ClassVar = {"trees": 20}


class TestLightGbmOfOrders(RankingContract):
    __test__ = True
    recipe = "lightgbm"
    quick: ClassVar = {"trees": 40}


class TestRandomForestOfNumbers(NumberContract):
    __test__ = True
    recipe = "random_forest"
    quick: ClassVar = {"trees": 20}


class TestLightGbmOfNumbers(NumberContract):
    __test__ = True
    recipe = "lightgbm"
    quick: ClassVar = {"trees": 40}


class TestGradientBoostingOfNumbers(NumberContract):
    __test__ = True
    recipe = "gradient_boosting"
    quick: ClassVar = {"trees": 40}


class TestHistGradientBoostingOfNumbers(NumberContract):
    __test__ = True
    recipe = "hist_gradient_boosting"
    runtime = "python"
    quick: ClassVar = {"trees": 20}


class TestRandomForest(RecipeContract):
    __test__ = True
    recipe = "random_forest"
    quick: ClassVar = {"trees": 40}


class TestLightGbm(RecipeContract):
    __test__ = True
    recipe = "lightgbm"
    quick: ClassVar = {"trees": 40}


class TestGradientBoosting(RecipeContract):
    __test__ = True
    recipe = "gradient_boosting"
    quick: ClassVar = {"trees": 40}


class TestHistGradientBoosting(RecipeContract):
    __test__ = True
    recipe = "hist_gradient_boosting"
    runtime = "python"
    quick: ClassVar = {"trees": 40}


class TestScikitLearn(RecipeContract):
    __test__ = True
    recipe = "scikit_learn"
    quick: ClassVar = {"settings": {"n_estimators": 30, "min_samples_leaf": 4}}


class TestScikitLearnOfNumbers(NumberContract):
    __test__ = True
    recipe = "scikit_learn"
    quick: ClassVar = {"estimator": "HuberRegressor", "settings": {"alpha": 0.01}}


class TestScikitLearnBehindTransformers(RecipeContract):
    __test__ = True
    recipe = "scikit_learn"
    quick: ClassVar = {"estimator": "LinearSVC", "before": [{"name": "SelectKBest", "settings": {"k": 3}}]}


class TestXGBoost(RecipeContract):
    __test__ = True
    recipe = "xgboost"
    quick: ClassVar = {"trees": 60}

    def test_an_attempt_after_a_kill_ends_with_the_same_trees(self) -> None:
        bench, recipe = self.bench(trees=120, patience=0), load_recipe(self.recipe)
        features = bench.data("validation").features
        whole = recipe.predict(bench, recipe.fit(bench), features)
        kept, told = bench.saved["recipe"], len(bench.reports)
        again = self.bench(trees=120, patience=0)
        again.saved = {"recipe": kept}
        assert np.array_equal(recipe.predict(again, recipe.fit(again), features), whole)
        assert (told, len(again.reports)) == (120, 20)
        assert (bench.reports[-1], again.reports[0]) == ((120, 120), (101, 120))

    def test_it_stops_by_itself_on_rows_held_out(self, tmp_path: Path) -> None:
        bench = self.bench(trees=1000, learning_rate=0.4, max_depth=8, patience=5, class_weight="balanced")
        model = load_recipe(self.recipe).fit(bench)
        found, looked = map(int, bench.saved["count"].split())
        assert 1 <= found < looked < 200
        assert bench.reports[-1] == (looked + found, looked + found)
        shares = [step / total for step, total in bench.reports]
        assert shares == sorted(shares)
        assert model.named_steps["estimator"].get_booster().num_boosted_rounds() == found
        again = self.bench(trees=1000, learning_rate=0.4, max_depth=8, patience=5, class_weight="balanced")
        again.saved = {"count": b"7 12"}  # an attempt before has looked already
        model = load_recipe(self.recipe).fit(again)
        assert model.named_steps["estimator"].get_booster().num_boosted_rounds() == 7
        self.check_package(again, tmp_path / "package")


class TestXGBoostOfNumbers(NumberContract):
    __test__ = True
    recipe = "xgboost"
    quick: ClassVar = {"trees": 60}


class TestIsolationForest(AnomalyContract):
    __test__ = True
    recipe = "isolation_forest"
    quick: ClassVar = {"trees": 60}


class TestLocalOutlier(AnomalyContract):
    __test__ = True
    recipe = "local_outlier"
    quick: ClassVar = {"rows": 500}
    least_auc = 0.8  # it looks for what is odd beside its neighbours, and these rows are odd beside all


class TestKMeans(ClusterContract):
    __test__ = True
    recipe = "kmeans"
    quick: ClassVar = {"clusters": 3}


class TestLagRegression(ForecastContract):
    __test__ = True
    recipe = "lag_regression"


class TestLagBoosting(ForecastContract):
    __test__ = True
    recipe = "lag_boosting"
    quick: ClassVar = {"trees": 60, "learning_rate": 0.1}


class TestSeasonalNaive(ForecastContract):
    __test__ = True
    recipe = "seasonal_naive"
    least_skill = 0.0


class TestLinearPolicy(PolicyContract):
    __test__ = True
    recipe = "linear_policy"


class TestFittedQ(EpisodeContract):
    __test__ = True
    recipe = "fitted_q"
    quick: ClassVar = {"trees": 10, "rebuilds": 2, "iterations": 8}


class TestLightGbmPolicy(PolicyContract):
    __test__ = True
    recipe = "lightgbm_policy"
    quick: ClassVar = {"trees": 40}


def test_what_a_recipe_needs_and_is_not_there_is_told_with_the_command() -> None:
    absent = replace(find_recipe("xgboost"), library="no_such_library")
    assert absent.install == "pip install 'aimass[xgboost]'"
    assert find_recipe("lightgbm").install is None
    with pytest.raises(MissingExtra, match="'xgboost', which is not installed") as told:
        absent.need_installed()
    assert told.value.hint == "pip install 'aimass[xgboost]'"
    facts = Facts(rows=20_000, columns=20)
    (said,) = {one.left_out for one in recommend([absent], TASKS["regression"], facts, Constraints(), [])}
    assert said == "its library is not installed: pip install 'aimass[xgboost]'"


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"estimator": "Oracle"}, "params.estimator"),
        ({"estimator": "RandomForestRegressor"}, "params.estimator"),  # the task is classification
        ({"settings": {"colour": 1}}, "params.settings"),
        ({"settings": {"n_estimators": -1}}, "params.settings"),
        ({"estimator": "VotingClassifier"}, "params.settings"),  # it wants estimators that no JSON can name
        ({"before": [{"name": "Oracle"}]}, "params.before.0.name"),
        ({"before": [{"name": "PCA", "settings": {"colour": 1}}]}, "params.before.0"),
    ],
)
def test_names_and_settings_that_scikit_learn_does_not_know_are_refused(params, field) -> None:
    bench = TestScikitLearn().bench()
    manifest = find_recipe("scikit_learn")
    bench.params = parameters_of(manifest.check(params), manifest.parameters)
    with pytest.raises(Invalid) as refused:
        load_recipe("scikit_learn").fit(bench)
    assert refused.value.field == field


def test_the_built_in_recipes_come_through_the_door_of_a_strangers_wheel() -> None:
    names = {point.name for point in entry_points(group=GROUP)}
    assert set(recipes()) == names
    assert names >= {
        "logistic_regression",
        "random_forest",
        "lightgbm",
        "linear_regression",
        "gradient_boosting",
        "hist_gradient_boosting",
    }


def test_every_task_of_a_recipe_has_its_suite() -> None:
    bases = (
        RecipeContract,
        NumberContract,
        ImageContract,
        ImageNumberContract,
        TextContract,
        OneTextContract,
        SoundContract,
        RankingContract,
        AnomalyContract,
        ClusterContract,
        ForecastContract,
        PolicyContract,
        EpisodeContract,
        DetectionContract,
        TaggingContract,
        LanguageContract,
        SummaryContract,
        LabelContract,
        TextOfLabelsContract,
        TextOfNumbersContract,
    )
    found = {suite for base in bases for suite in base.__subclasses__()} - set(bases)
    suites = {(suite.recipe, suite.task) for suite in found}
    assert suites == {(name, task) for name, recipe in recipes().items() for task in recipe.tasks}
    assert {task for _, task in suites} == set(TASKS)


def test_a_recipe_that_cannot_do_a_task_is_refused_with_those_that_can() -> None:
    with pytest.raises(Invalid, match="'logistic_regression' does not do regression") as caught:
        check_task(find_recipe("logistic_regression"), "regression")
    assert caught.value.allowed == [
        "gradient_boosting",
        "hist_gradient_boosting",
        "lightgbm",
        "linear_regression",
        "random_forest",
        "scikit_learn",
        "text_linear",
        "torch_cnn",
        "torch_mlp",
        "torch_recurrent",
        "torch_resnet",
        "xgboost",
    ]


def test_a_recipe_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(Invalid, match="alchemy") as caught:
        find_recipe("alchemy")
    assert "lightgbm" in caught.value.allowed


def test_a_parameter_out_of_range_is_refused_with_its_range() -> None:
    with pytest.raises(Invalid) as caught:
        find_recipe("lightgbm").check({"trees": 0})
    assert caught.value.field == "params.trees"
    assert caught.value.value == 0
    assert "Ge(ge=1)" in caught.value.allowed


def test_reading_manifests_loads_nothing_heavy() -> None:
    code = (
        "import sys; from aimass.training.recipes import recipes; recipes();"
        "print([m for m in ('sklearn','lightgbm','xgboost','polars','onnx','numpy','skl2onnx') if m in sys.modules])"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
