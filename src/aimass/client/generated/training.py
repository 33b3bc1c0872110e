"""Methods of training. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from typing import Any, Literal

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.models_types import ModelVersion
from aimass.client.generated.training_types import (
    Artifact,
    AutoRun,
    Compression,
    Evaluation,
    Experiment,
    Importance,
    Learner,
    LearnerPoint,
    Point,
    RecipeInfo,
    Recommendation,
    Run,
    RunComparison,
    Snapshot,
    Split,
    Study,
    Trial,
)
from aimass.kernel.pages import Page


class TrainingCalls(Calls):
    """Operations of training."""

    def blend_runs(
        self,
        *,
        runs: list[str],
        workspace: str | None = None,
        method: Literal["auto", "mean", "stack"] | None = None,
        experiment: str | None = None,
        name: str | None = None,
        tags: dict[str, str] | None = None,
        key: str | None = None,
    ) -> Run:
        """Blend finished runs on one split into one model: a weighted mean, or a stack, of their answers."""
        return self._call(
            "training.blend_runs",
            {
                "runs": runs,
                "workspace": workspace,
                "method": method,
                "experiment": experiment,
                "name": name,
                "tags": tags,
                "key": key,
            },
            Run,
        )

    def cancel_auto(self, *, auto: str, workspace: str | None = None) -> AutoRun:
        """Cancel an automatic training and its runs that have not ended; those that have stay."""
        return self._call("training.cancel_auto", {"auto": auto, "workspace": workspace}, AutoRun)

    def cancel_run(self, *, run: str, workspace: str | None = None) -> Run:
        """Cancel a run; what it did so far is kept as its job's log."""
        return self._call("training.cancel_run", {"run": run, "workspace": workspace}, Run)

    def cancel_study(self, *, study: str, workspace: str | None = None) -> Study:
        """Stop a study and the trials that run; what was found stays."""
        return self._call("training.cancel_study", {"study": study, "workspace": workspace}, Study)

    def compare_runs(self, *, runs: list[str], workspace: str | None = None) -> RunComparison:
        """Compare runs: metrics side by side, and the data and parameters in which they differ."""
        return self._call("training.compare_runs", {"runs": runs, "workspace": workspace}, RunComparison)

    def compress_run(
        self,
        *,
        run: str,
        workspace: str | None = None,
        techniques: list[str] | None = None,
        metric: str | None = None,
        max_drop: float | None = None,
        min_speedup: float | None = None,
        timed: Literal["row", "batch"] | None = None,
        min_ratio: float | None = None,
        max_bytes: int | None = None,
        prefer: Literal["size", "speed"] | None = None,
        experiment: str | None = None,
        name: str | None = None,
        tags: dict[str, str] | None = None,
        key: str | None = None,
    ) -> Run:
        """Compress the model of a finished run with several techniques; the best that meets a policy is a run of its own."""
        return self._call(
            "training.compress_run",
            {
                "run": run,
                "workspace": workspace,
                "techniques": techniques,
                "metric": metric,
                "max_drop": max_drop,
                "min_speedup": min_speedup,
                "timed": timed,
                "min_ratio": min_ratio,
                "max_bytes": max_bytes,
                "prefer": prefer,
                "experiment": experiment,
                "name": name,
                "tags": tags,
                "key": key,
            },
            Run,
        )

    def create_experiment(
        self, *, name: str, workspace: str | None = None, slug: str | None = None, description: str | None = None
    ) -> Experiment:
        """Create an experiment."""
        return self._call(
            "training.create_experiment",
            {"name": name, "workspace": workspace, "slug": slug, "description": description},
            Experiment,
        )

    def create_learner(
        self,
        *,
        name: str,
        split: str,
        workspace: str | None = None,
        model: Literal[
            "logistic_regression",
            "naive_bayes",
            "hoeffding_adaptive_tree",
            "adwin_bagging",
            "leveraging_bagging",
            "adaptive_random_forest",
            "sklearn_sgd",
            "sklearn_naive_bayes",
            "sklearn_mlp",
            "linear_regression",
            "hoeffding_adaptive_tree_regressor",
            "adaptive_random_forest_regressor",
            "sklearn_sgd_regressor",
            "sklearn_mlp_regressor",
            "lin_ucb",
            "lin_thompson",
            "lin_epsilon",
        ]
        | None = None,
        params: dict[str, Any] | None = None,
        slug: str | None = None,
        experiment: str | None = None,
        time_column: str | None = None,
        detector: Literal["adwin", "page_hinkley", "none"] | None = None,
        replay: int | None = None,
        replay_times: int | None = None,
        window: int | None = None,
        snapshot_every: int | None = None,
        snapshot_on_drift: bool | None = None,
        memory_mb: int | None = None,
        seed: int | None = None,
        start_from: str | None = None,
        start_snapshot: int | None = None,
        transfer: Literal["plain", "weighted"] | None = None,
    ) -> Learner:
        """Let a model learn from a dataset row by row, beginning with the training part of a split."""
        return self._call(
            "training.create_learner",
            {
                "name": name,
                "split": split,
                "workspace": workspace,
                "model": model,
                "params": params,
                "slug": slug,
                "experiment": experiment,
                "time_column": time_column,
                "detector": detector,
                "replay": replay,
                "replay_times": replay_times,
                "window": window,
                "snapshot_every": snapshot_every,
                "snapshot_on_drift": snapshot_on_drift,
                "memory_mb": memory_mb,
                "seed": seed,
                "start_from": start_from,
                "start_snapshot": start_snapshot,
                "transfer": transfer,
            },
            Learner,
        )

    def create_split(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        target: str | None = None,
        dataset_version: int | None = None,
        task: Literal[
            "classification",
            "regression",
            "anomaly",
            "clustering",
            "ranking",
            "forecasting",
            "multilabel",
            "policy",
            "tagging",
            "language",
            "summary",
            "detection",
        ]
        | None = None,
        key_column: str | None = None,
        group_column: str | None = None,
        time_column: str | None = None,
        horizon: int | None = None,
        known_ahead: list[str] | None = None,
        past: list[str] | None = None,
        label_separator: str | None = None,
        action_column: str | None = None,
        propensity_column: str | None = None,
        episode_column: str | None = None,
        step_column: str | None = None,
        discount: float | None = None,
        fractions: dict[str, float] | None = None,
        seed: int | None = None,
        stratify: bool | None = None,
        base: str | None = None,
        new_rows: Literal["train", "validation", "test", "future"] | None = None,
        key: str | None = None,
    ) -> Split:
        """Split a dataset version into train, validation, test and future rows: by a seed, by groups, by time, or by both."""
        return self._call(
            "training.create_split",
            {
                "dataset": dataset,
                "workspace": workspace,
                "target": target,
                "dataset_version": dataset_version,
                "task": task,
                "key_column": key_column,
                "group_column": group_column,
                "time_column": time_column,
                "horizon": horizon,
                "known_ahead": known_ahead,
                "past": past,
                "label_separator": label_separator,
                "action_column": action_column,
                "propensity_column": propensity_column,
                "episode_column": episode_column,
                "step_column": step_column,
                "discount": discount,
                "fractions": fractions,
                "seed": seed,
                "stratify": stratify,
                "base": base,
                "new_rows": new_rows,
                "key": key,
            },
            Split,
        )

    def create_study(
        self,
        *,
        recipe: str,
        split: str,
        workspace: str | None = None,
        source: str | None = None,
        name: str | None = None,
        slug: str | None = None,
        experiment: str | None = None,
        space: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        features: list[str] | None = None,
        sampler: Literal["grid", "random", "tpe", "gp", "cmaes", "nsga2"] | None = None,
        pruner: Literal["none", "median", "hyperband", "halving"] | None = None,
        objectives: list[str] | None = None,
        trials: int | None = None,
        parallel: int | None = None,
        budget_s: float | None = None,
        seed: int | None = None,
        folds: int | None = None,
    ) -> Study:
        """Search for the best parameters of a recipe on a split: every trial is a run of its own."""
        return self._call(
            "training.create_study",
            {
                "recipe": recipe,
                "split": split,
                "workspace": workspace,
                "source": source,
                "name": name,
                "slug": slug,
                "experiment": experiment,
                "space": space,
                "params": params,
                "features": features,
                "sampler": sampler,
                "pruner": pruner,
                "objectives": objectives,
                "trials": trials,
                "parallel": parallel,
                "budget_s": budget_s,
                "seed": seed,
                "folds": folds,
            },
            Study,
        )

    def delete_auto(self, *, auto: str, workspace: str | None = None) -> None:
        """Forget an automatic training that has ended; its runs stay."""
        return self._call("training.delete_auto", {"auto": auto, "workspace": workspace}, None)

    def delete_experiment(self, *, experiment: str, workspace: str | None = None) -> None:
        """Delete an experiment with its runs; registered model versions stay."""
        return self._call("training.delete_experiment", {"experiment": experiment, "workspace": workspace}, None)

    def delete_learner(self, *, learner: str, workspace: str | None = None) -> None:
        """Delete a learner that does not learn; the runs of its snapshots stay."""
        return self._call("training.delete_learner", {"learner": learner, "workspace": workspace}, None)

    def delete_run(self, *, run: str, workspace: str | None = None) -> None:
        """Delete a run that has ended; model versions made of it stay."""
        return self._call("training.delete_run", {"run": run, "workspace": workspace}, None)

    def delete_study(self, *, study: str, workspace: str | None = None) -> None:
        """Delete a study that has ended, with its trials; their runs stay in the experiment."""
        return self._call("training.delete_study", {"study": study, "workspace": workspace}, None)

    def evaluate_run(
        self,
        *,
        run: str,
        workspace: str | None = None,
        part: Literal["train", "validation", "test", "future"] | None = None,
    ) -> Evaluation:
        """Evaluate the exported file of a run on a part of its split; a part is evaluated once."""
        return self._call("training.evaluate_run", {"run": run, "workspace": workspace, "part": part}, Evaluation)

    def extend_study(
        self, *, study: str, workspace: str | None = None, trials: int | None = None, budget_s: float | None = None
    ) -> Study:
        """Give a study more trials, or more time; one that has finished goes on."""
        return self._call(
            "training.extend_study",
            {"study": study, "workspace": workspace, "trials": trials, "budget_s": budget_s},
            Study,
        )

    def get_auto(self, *, auto: str, workspace: str | None = None) -> AutoRun:
        """Show an automatic training: what was recommended and why, its runs, and the best."""
        return self._call("training.get_auto", {"auto": auto, "workspace": workspace}, AutoRun)

    def get_compression(self, *, run: str, workspace: str | None = None) -> Compression:
        """Show what came of a compression: every technique with its figures, and why it was taken or not."""
        return self._call("training.get_compression", {"run": run, "workspace": workspace}, Compression)

    def get_evaluation(
        self,
        *,
        run: str,
        workspace: str | None = None,
        part: Literal["train", "validation", "test", "future"] | None = None,
    ) -> Evaluation:
        """Show what a run scores on a part, with the interval of the metric of its task."""
        return self._call("training.get_evaluation", {"run": run, "workspace": workspace, "part": part}, Evaluation)

    def get_evaluation_report(
        self,
        *,
        run: str,
        workspace: str | None = None,
        part: Literal["train", "validation", "test", "future"] | None = None,
    ) -> dict[str, Any]:
        """Show the curves of a classifier or the residuals of a regression, and permutation importance, on a part."""
        return self._call(
            "training.get_evaluation_report", {"run": run, "workspace": workspace, "part": part}, dict[str, Any]
        )

    def get_experiment(self, *, experiment: str, workspace: str | None = None) -> Experiment:
        """Show an experiment."""
        return self._call("training.get_experiment", {"experiment": experiment, "workspace": workspace}, Experiment)

    def get_importance(self, *, study: str, workspace: str | None = None, objective: str | None = None) -> Importance:
        """Tell how much of the spread of an objective each parameter explains (functional ANOVA on a forest)."""
        return self._call(
            "training.get_importance", {"study": study, "workspace": workspace, "objective": objective}, Importance
        )

    def get_learner(self, *, learner: str, workspace: str | None = None) -> Learner:
        """Show a learner: how far it is, how well it answers rows before it learns them, and what was odd about them."""
        return self._call("training.get_learner", {"learner": learner, "workspace": workspace}, Learner)

    def get_learner_series(self, *, learner: str, workspace: str | None = None) -> list[LearnerPoint]:
        """Show how well a learner answered rows before it learned them, over time."""
        return self._call(
            "training.get_learner_series", {"learner": learner, "workspace": workspace}, list[LearnerPoint]
        )

    def get_metric_history(self, *, run: str, metric: str, workspace: str | None = None) -> list[Point]:
        """Show every value of a metric, step by step."""
        return self._call(
            "training.get_metric_history", {"run": run, "metric": metric, "workspace": workspace}, list[Point]
        )

    def get_recipe(self, *, recipe: str) -> RecipeInfo:
        """Show a recipe with its parameters, their defaults and ranges."""
        return self._call("training.get_recipe", {"recipe": recipe}, RecipeInfo)

    def get_run(self, *, run: str, workspace: str | None = None) -> Run:
        """Show a run with its metrics, and its progress while it runs."""
        return self._call("training.get_run", {"run": run, "workspace": workspace}, Run)

    def get_run_report(self, *, run: str, workspace: str | None = None) -> dict[str, Any]:
        """Show the whole report of a run: folds, curves or residuals, confusion matrix, importance, history."""
        return self._call("training.get_run_report", {"run": run, "workspace": workspace}, dict[str, Any])

    def get_split(self, *, split: str, workspace: str | None = None) -> Split:
        """Show a split with its rows by part and class."""
        return self._call("training.get_split", {"split": split, "workspace": workspace}, Split)

    def get_study(self, *, study: str, workspace: str | None = None) -> Study:
        """Show a study: how far it is, and which trials are best."""
        return self._call("training.get_study", {"study": study, "workspace": workspace}, Study)

    def learn_now(self, *, learner: str, workspace: str | None = None) -> Learner:
        """Learn what has arrived by now, once, while the learner is paused."""
        return self._call("training.learn_now", {"learner": learner, "workspace": workspace}, Learner)

    def list_artifacts(self, *, run: str, workspace: str | None = None) -> list[Artifact]:
        """List the files that a run left."""
        return self._call("training.list_artifacts", {"run": run, "workspace": workspace}, list[Artifact])

    def list_autos(
        self,
        *,
        workspace: str | None = None,
        state: Literal["RUNNING", "FINISHED", "FAILED", "KILLED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[AutoRun]:
        """List automatic trainings, newest first."""
        return self._call(
            "training.list_autos",
            {"workspace": workspace, "state": state, "limit": limit, "cursor": cursor},
            Page[AutoRun],
        )

    def list_best_trials(self, *, study: str, workspace: str | None = None) -> list[Trial]:
        """List the best trials: one for one objective, else all that no other trial beats in everything."""
        return self._call("training.list_best_trials", {"study": study, "workspace": workspace}, list[Trial])

    def list_evaluations(self, *, run: str, workspace: str | None = None) -> list[Evaluation]:
        """List the evaluations of a run."""
        return self._call("training.list_evaluations", {"run": run, "workspace": workspace}, list[Evaluation])

    def list_experiments(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Experiment]:
        """List experiments, newest first."""
        return self._call(
            "training.list_experiments", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Experiment]
        )

    def list_learners(
        self,
        *,
        workspace: str | None = None,
        state: Literal["ACTIVE", "PAUSED", "FAILED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Learner]:
        """List learners, newest first."""
        return self._call(
            "training.list_learners",
            {"workspace": workspace, "state": state, "limit": limit, "cursor": cursor},
            Page[Learner],
        )

    def list_recipes(self) -> list[RecipeInfo]:
        """List the recipes that are installed."""
        return self._call("training.list_recipes", {}, list[RecipeInfo])

    def list_runs(
        self,
        *,
        workspace: str | None = None,
        experiment: str | None = None,
        recipe: str | None = None,
        task: Literal[
            "classification",
            "regression",
            "anomaly",
            "clustering",
            "ranking",
            "forecasting",
            "multilabel",
            "policy",
            "tagging",
            "language",
            "summary",
            "detection",
        ]
        | None = None,
        state: Literal["SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"] | None = None,
        split: str | None = None,
        dataset: str | None = None,
        where: str | None = None,
        sort: str | None = None,
        ascending: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Run]:
        """List runs, newest first, or by a metric."""
        return self._call(
            "training.list_runs",
            {
                "workspace": workspace,
                "experiment": experiment,
                "recipe": recipe,
                "task": task,
                "state": state,
                "split": split,
                "dataset": dataset,
                "where": where,
                "sort": sort,
                "ascending": ascending,
                "limit": limit,
                "cursor": cursor,
            },
            Page[Run],
        )

    def list_snapshots(self, *, learner: str, workspace: str | None = None) -> list[Snapshot]:
        """List the snapshots of a learner, newest first; each is a run with a package."""
        return self._call("training.list_snapshots", {"learner": learner, "workspace": workspace}, list[Snapshot])

    def list_split_rows(
        self,
        *,
        split: str,
        part: Literal["train", "validation", "test", "future"],
        workspace: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[str]:
        """List what names the rows of one part: the values of the key column, or hashes of the rows."""
        return self._call(
            "training.list_split_rows",
            {"split": split, "part": part, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[str],
        )

    def list_splits(
        self,
        *,
        workspace: str | None = None,
        dataset: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Split]:
        """List splits, newest first."""
        return self._call(
            "training.list_splits",
            {"workspace": workspace, "dataset": dataset, "limit": limit, "cursor": cursor},
            Page[Split],
        )

    def list_studies(
        self,
        *,
        workspace: str | None = None,
        state: Literal["RUNNING", "PAUSED", "FINISHED", "FAILED", "KILLED"] | None = None,
        recipe: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Study]:
        """List studies, newest first."""
        return self._call(
            "training.list_studies",
            {"workspace": workspace, "state": state, "recipe": recipe, "limit": limit, "cursor": cursor},
            Page[Study],
        )

    def list_trials(
        self,
        *,
        study: str,
        workspace: str | None = None,
        state: Literal["WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Trial]:
        """List the trials of a study in their order: parameters, state, values, and the run of each."""
        return self._call(
            "training.list_trials",
            {"study": study, "workspace": workspace, "state": state, "limit": limit, "cursor": cursor},
            Page[Trial],
        )

    def make_snapshot(self, *, learner: str, workspace: str | None = None) -> Learner:
        """Package what the learner knows now as a run, which can be evaluated, registered and served like any other."""
        return self._call("training.make_snapshot", {"learner": learner, "workspace": workspace}, Learner)

    def pause_learner(self, *, learner: str, workspace: str | None = None) -> Learner:
        """Learn nothing more until it is resumed; rows that arrive meanwhile wait. A job at work goes on to its end."""
        return self._call("training.pause_learner", {"learner": learner, "workspace": workspace}, Learner)

    def pause_study(self, *, study: str, workspace: str | None = None) -> Study:
        """Begin no new trial; those that run go on to their end."""
        return self._call("training.pause_study", {"study": study, "workspace": workspace}, Study)

    def recommend_recipes(
        self,
        *,
        split: str,
        workspace: str | None = None,
        budget_s: float | None = None,
        row_us: float | None = None,
        size: int | None = None,
        explainable: bool | None = None,
        folds: int | None = None,
    ) -> list[Recommendation]:
        """Recommend recipes for a split, the best first, and say why; what the limits leave out comes last."""
        return self._call(
            "training.recommend_recipes",
            {
                "split": split,
                "workspace": workspace,
                "budget_s": budget_s,
                "row_us": row_us,
                "size": size,
                "explainable": explainable,
                "folds": folds,
            },
            list[Recommendation],
        )

    def register_run(
        self,
        *,
        run: str,
        model: str,
        workspace: str | None = None,
        name: str | None = None,
        description: str | None = None,
    ) -> ModelVersion:
        """Register the package of a run as the next version of a model; the same run is one version."""
        return self._call(
            "training.register_run",
            {"run": run, "model": model, "workspace": workspace, "name": name, "description": description},
            ModelVersion,
        )

    def resume_learner(self, *, learner: str, workspace: str | None = None) -> Learner:
        """Go on with a learner that was paused, or that failed; it learns what waited, each row once."""
        return self._call("training.resume_learner", {"learner": learner, "workspace": workspace}, Learner)

    def resume_study(self, *, study: str, workspace: str | None = None) -> Study:
        """Go on with a study that was paused, cancelled, or stopped after failures."""
        return self._call("training.resume_study", {"study": study, "workspace": workspace}, Study)

    def roll_back_learner(self, *, learner: str, snapshot: int, workspace: str | None = None) -> Learner:
        """Let a paused learner know again what it knew at a snapshot; rows that it took since then are not learned again."""
        return self._call(
            "training.roll_back_learner", {"learner": learner, "snapshot": snapshot, "workspace": workspace}, Learner
        )

    def start_auto(
        self,
        *,
        workspace: str | None = None,
        split: str | None = None,
        dataset: str | None = None,
        target: str | None = None,
        key_column: str | None = None,
        name: str | None = None,
        experiment: str | None = None,
        budget_s: float | None = None,
        most: int | None = None,
        blend: bool | None = None,
        row_us: float | None = None,
        size: int | None = None,
        explainable: bool | None = None,
        seed: int | None = None,
        folds: int | None = None,
        key: str | None = None,
    ) -> AutoRun:
        """Train the best few recipes within a time, blend what they learned, and find the best."""
        return self._call(
            "training.start_auto",
            {
                "workspace": workspace,
                "split": split,
                "dataset": dataset,
                "target": target,
                "key_column": key_column,
                "name": name,
                "experiment": experiment,
                "budget_s": budget_s,
                "most": most,
                "blend": blend,
                "row_us": row_us,
                "size": size,
                "explainable": explainable,
                "seed": seed,
                "folds": folds,
                "key": key,
            },
            AutoRun,
        )

    def start_own_run(
        self,
        *,
        recipe: str,
        split: str,
        source: str,
        workspace: str | None = None,
        experiment: str | None = None,
        name: str | None = None,
        params: dict[str, Any] | None = None,
        features: list[str] | None = None,
        unseen: dict[str, Literal["serve", "refuse"]] | None = None,
        seed: int | None = None,
        folds: int | None = None,
        tags: dict[str, str] | None = None,
        key: str | None = None,
        slots: int | None = None,
    ) -> Run:
        """Train a recipe of your own: the text of a file, which runs in a sandbox and is kept with the run."""
        return self._call(
            "training.start_own_run",
            {
                "recipe": recipe,
                "split": split,
                "source": source,
                "workspace": workspace,
                "experiment": experiment,
                "name": name,
                "params": params,
                "features": features,
                "unseen": unseen,
                "seed": seed,
                "folds": folds,
                "tags": tags,
                "key": key,
                "slots": slots,
            },
            Run,
        )

    def start_run(
        self,
        *,
        recipe: str,
        split: str,
        workspace: str | None = None,
        experiment: str | None = None,
        name: str | None = None,
        params: dict[str, Any] | None = None,
        features: list[str] | None = None,
        unseen: dict[str, Literal["serve", "refuse"]] | None = None,
        seed: int | None = None,
        folds: int | None = None,
        tags: dict[str, str] | None = None,
        key: str | None = None,
    ) -> Run:
        """Train a recipe on a split, as a job in a process of its own."""
        return self._call(
            "training.start_run",
            {
                "recipe": recipe,
                "split": split,
                "workspace": workspace,
                "experiment": experiment,
                "name": name,
                "params": params,
                "features": features,
                "unseen": unseen,
                "seed": seed,
                "folds": folds,
                "tags": tags,
                "key": key,
            },
            Run,
        )

    def tag_run(
        self, *, run: str, tags: dict[str, str], workspace: str | None = None, expected_version: int | None = None
    ) -> Run:
        """Set tags of a run; an empty value takes a tag away."""
        return self._call(
            "training.tag_run",
            {"run": run, "tags": tags, "workspace": workspace, "expected_version": expected_version},
            Run,
        )

    def update_learner(
        self,
        *,
        learner: str,
        workspace: str | None = None,
        name: str | None = None,
        snapshot_every: int | None = None,
        snapshot_on_drift: bool | None = None,
        memory_mb: int | None = None,
        expected_version: int | None = None,
    ) -> Learner:
        """Change the name of a learner, when it makes snapshots, or how much memory it may take."""
        return self._call(
            "training.update_learner",
            {
                "learner": learner,
                "workspace": workspace,
                "name": name,
                "snapshot_every": snapshot_every,
                "snapshot_on_drift": snapshot_on_drift,
                "memory_mb": memory_mb,
                "expected_version": expected_version,
            },
            Learner,
        )


class AsyncTrainingCalls(AsyncCalls):
    """Operations of training, for asyncio."""

    async def blend_runs(
        self,
        *,
        runs: list[str],
        workspace: str | None = None,
        method: Literal["auto", "mean", "stack"] | None = None,
        experiment: str | None = None,
        name: str | None = None,
        tags: dict[str, str] | None = None,
        key: str | None = None,
    ) -> Run:
        """Blend finished runs on one split into one model: a weighted mean, or a stack, of their answers."""
        return await self._call(
            "training.blend_runs",
            {
                "runs": runs,
                "workspace": workspace,
                "method": method,
                "experiment": experiment,
                "name": name,
                "tags": tags,
                "key": key,
            },
            Run,
        )

    async def cancel_auto(self, *, auto: str, workspace: str | None = None) -> AutoRun:
        """Cancel an automatic training and its runs that have not ended; those that have stay."""
        return await self._call("training.cancel_auto", {"auto": auto, "workspace": workspace}, AutoRun)

    async def cancel_run(self, *, run: str, workspace: str | None = None) -> Run:
        """Cancel a run; what it did so far is kept as its job's log."""
        return await self._call("training.cancel_run", {"run": run, "workspace": workspace}, Run)

    async def cancel_study(self, *, study: str, workspace: str | None = None) -> Study:
        """Stop a study and the trials that run; what was found stays."""
        return await self._call("training.cancel_study", {"study": study, "workspace": workspace}, Study)

    async def compare_runs(self, *, runs: list[str], workspace: str | None = None) -> RunComparison:
        """Compare runs: metrics side by side, and the data and parameters in which they differ."""
        return await self._call("training.compare_runs", {"runs": runs, "workspace": workspace}, RunComparison)

    async def compress_run(
        self,
        *,
        run: str,
        workspace: str | None = None,
        techniques: list[str] | None = None,
        metric: str | None = None,
        max_drop: float | None = None,
        min_speedup: float | None = None,
        timed: Literal["row", "batch"] | None = None,
        min_ratio: float | None = None,
        max_bytes: int | None = None,
        prefer: Literal["size", "speed"] | None = None,
        experiment: str | None = None,
        name: str | None = None,
        tags: dict[str, str] | None = None,
        key: str | None = None,
    ) -> Run:
        """Compress the model of a finished run with several techniques; the best that meets a policy is a run of its own."""
        return await self._call(
            "training.compress_run",
            {
                "run": run,
                "workspace": workspace,
                "techniques": techniques,
                "metric": metric,
                "max_drop": max_drop,
                "min_speedup": min_speedup,
                "timed": timed,
                "min_ratio": min_ratio,
                "max_bytes": max_bytes,
                "prefer": prefer,
                "experiment": experiment,
                "name": name,
                "tags": tags,
                "key": key,
            },
            Run,
        )

    async def create_experiment(
        self, *, name: str, workspace: str | None = None, slug: str | None = None, description: str | None = None
    ) -> Experiment:
        """Create an experiment."""
        return await self._call(
            "training.create_experiment",
            {"name": name, "workspace": workspace, "slug": slug, "description": description},
            Experiment,
        )

    async def create_learner(
        self,
        *,
        name: str,
        split: str,
        workspace: str | None = None,
        model: Literal[
            "logistic_regression",
            "naive_bayes",
            "hoeffding_adaptive_tree",
            "adwin_bagging",
            "leveraging_bagging",
            "adaptive_random_forest",
            "sklearn_sgd",
            "sklearn_naive_bayes",
            "sklearn_mlp",
            "linear_regression",
            "hoeffding_adaptive_tree_regressor",
            "adaptive_random_forest_regressor",
            "sklearn_sgd_regressor",
            "sklearn_mlp_regressor",
            "lin_ucb",
            "lin_thompson",
            "lin_epsilon",
        ]
        | None = None,
        params: dict[str, Any] | None = None,
        slug: str | None = None,
        experiment: str | None = None,
        time_column: str | None = None,
        detector: Literal["adwin", "page_hinkley", "none"] | None = None,
        replay: int | None = None,
        replay_times: int | None = None,
        window: int | None = None,
        snapshot_every: int | None = None,
        snapshot_on_drift: bool | None = None,
        memory_mb: int | None = None,
        seed: int | None = None,
        start_from: str | None = None,
        start_snapshot: int | None = None,
        transfer: Literal["plain", "weighted"] | None = None,
    ) -> Learner:
        """Let a model learn from a dataset row by row, beginning with the training part of a split."""
        return await self._call(
            "training.create_learner",
            {
                "name": name,
                "split": split,
                "workspace": workspace,
                "model": model,
                "params": params,
                "slug": slug,
                "experiment": experiment,
                "time_column": time_column,
                "detector": detector,
                "replay": replay,
                "replay_times": replay_times,
                "window": window,
                "snapshot_every": snapshot_every,
                "snapshot_on_drift": snapshot_on_drift,
                "memory_mb": memory_mb,
                "seed": seed,
                "start_from": start_from,
                "start_snapshot": start_snapshot,
                "transfer": transfer,
            },
            Learner,
        )

    async def create_split(
        self,
        *,
        dataset: str,
        workspace: str | None = None,
        target: str | None = None,
        dataset_version: int | None = None,
        task: Literal[
            "classification",
            "regression",
            "anomaly",
            "clustering",
            "ranking",
            "forecasting",
            "multilabel",
            "policy",
            "tagging",
            "language",
            "summary",
            "detection",
        ]
        | None = None,
        key_column: str | None = None,
        group_column: str | None = None,
        time_column: str | None = None,
        horizon: int | None = None,
        known_ahead: list[str] | None = None,
        past: list[str] | None = None,
        label_separator: str | None = None,
        action_column: str | None = None,
        propensity_column: str | None = None,
        episode_column: str | None = None,
        step_column: str | None = None,
        discount: float | None = None,
        fractions: dict[str, float] | None = None,
        seed: int | None = None,
        stratify: bool | None = None,
        base: str | None = None,
        new_rows: Literal["train", "validation", "test", "future"] | None = None,
        key: str | None = None,
    ) -> Split:
        """Split a dataset version into train, validation, test and future rows: by a seed, by groups, by time, or by both."""
        return await self._call(
            "training.create_split",
            {
                "dataset": dataset,
                "workspace": workspace,
                "target": target,
                "dataset_version": dataset_version,
                "task": task,
                "key_column": key_column,
                "group_column": group_column,
                "time_column": time_column,
                "horizon": horizon,
                "known_ahead": known_ahead,
                "past": past,
                "label_separator": label_separator,
                "action_column": action_column,
                "propensity_column": propensity_column,
                "episode_column": episode_column,
                "step_column": step_column,
                "discount": discount,
                "fractions": fractions,
                "seed": seed,
                "stratify": stratify,
                "base": base,
                "new_rows": new_rows,
                "key": key,
            },
            Split,
        )

    async def create_study(
        self,
        *,
        recipe: str,
        split: str,
        workspace: str | None = None,
        source: str | None = None,
        name: str | None = None,
        slug: str | None = None,
        experiment: str | None = None,
        space: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        features: list[str] | None = None,
        sampler: Literal["grid", "random", "tpe", "gp", "cmaes", "nsga2"] | None = None,
        pruner: Literal["none", "median", "hyperband", "halving"] | None = None,
        objectives: list[str] | None = None,
        trials: int | None = None,
        parallel: int | None = None,
        budget_s: float | None = None,
        seed: int | None = None,
        folds: int | None = None,
    ) -> Study:
        """Search for the best parameters of a recipe on a split: every trial is a run of its own."""
        return await self._call(
            "training.create_study",
            {
                "recipe": recipe,
                "split": split,
                "workspace": workspace,
                "source": source,
                "name": name,
                "slug": slug,
                "experiment": experiment,
                "space": space,
                "params": params,
                "features": features,
                "sampler": sampler,
                "pruner": pruner,
                "objectives": objectives,
                "trials": trials,
                "parallel": parallel,
                "budget_s": budget_s,
                "seed": seed,
                "folds": folds,
            },
            Study,
        )

    async def delete_auto(self, *, auto: str, workspace: str | None = None) -> None:
        """Forget an automatic training that has ended; its runs stay."""
        return await self._call("training.delete_auto", {"auto": auto, "workspace": workspace}, None)

    async def delete_experiment(self, *, experiment: str, workspace: str | None = None) -> None:
        """Delete an experiment with its runs; registered model versions stay."""
        return await self._call("training.delete_experiment", {"experiment": experiment, "workspace": workspace}, None)

    async def delete_learner(self, *, learner: str, workspace: str | None = None) -> None:
        """Delete a learner that does not learn; the runs of its snapshots stay."""
        return await self._call("training.delete_learner", {"learner": learner, "workspace": workspace}, None)

    async def delete_run(self, *, run: str, workspace: str | None = None) -> None:
        """Delete a run that has ended; model versions made of it stay."""
        return await self._call("training.delete_run", {"run": run, "workspace": workspace}, None)

    async def delete_study(self, *, study: str, workspace: str | None = None) -> None:
        """Delete a study that has ended, with its trials; their runs stay in the experiment."""
        return await self._call("training.delete_study", {"study": study, "workspace": workspace}, None)

    async def evaluate_run(
        self,
        *,
        run: str,
        workspace: str | None = None,
        part: Literal["train", "validation", "test", "future"] | None = None,
    ) -> Evaluation:
        """Evaluate the exported file of a run on a part of its split; a part is evaluated once."""
        return await self._call("training.evaluate_run", {"run": run, "workspace": workspace, "part": part}, Evaluation)

    async def extend_study(
        self, *, study: str, workspace: str | None = None, trials: int | None = None, budget_s: float | None = None
    ) -> Study:
        """Give a study more trials, or more time; one that has finished goes on."""
        return await self._call(
            "training.extend_study",
            {"study": study, "workspace": workspace, "trials": trials, "budget_s": budget_s},
            Study,
        )

    async def get_auto(self, *, auto: str, workspace: str | None = None) -> AutoRun:
        """Show an automatic training: what was recommended and why, its runs, and the best."""
        return await self._call("training.get_auto", {"auto": auto, "workspace": workspace}, AutoRun)

    async def get_compression(self, *, run: str, workspace: str | None = None) -> Compression:
        """Show what came of a compression: every technique with its figures, and why it was taken or not."""
        return await self._call("training.get_compression", {"run": run, "workspace": workspace}, Compression)

    async def get_evaluation(
        self,
        *,
        run: str,
        workspace: str | None = None,
        part: Literal["train", "validation", "test", "future"] | None = None,
    ) -> Evaluation:
        """Show what a run scores on a part, with the interval of the metric of its task."""
        return await self._call(
            "training.get_evaluation", {"run": run, "workspace": workspace, "part": part}, Evaluation
        )

    async def get_evaluation_report(
        self,
        *,
        run: str,
        workspace: str | None = None,
        part: Literal["train", "validation", "test", "future"] | None = None,
    ) -> dict[str, Any]:
        """Show the curves of a classifier or the residuals of a regression, and permutation importance, on a part."""
        return await self._call(
            "training.get_evaluation_report", {"run": run, "workspace": workspace, "part": part}, dict[str, Any]
        )

    async def get_experiment(self, *, experiment: str, workspace: str | None = None) -> Experiment:
        """Show an experiment."""
        return await self._call(
            "training.get_experiment", {"experiment": experiment, "workspace": workspace}, Experiment
        )

    async def get_importance(
        self, *, study: str, workspace: str | None = None, objective: str | None = None
    ) -> Importance:
        """Tell how much of the spread of an objective each parameter explains (functional ANOVA on a forest)."""
        return await self._call(
            "training.get_importance", {"study": study, "workspace": workspace, "objective": objective}, Importance
        )

    async def get_learner(self, *, learner: str, workspace: str | None = None) -> Learner:
        """Show a learner: how far it is, how well it answers rows before it learns them, and what was odd about them."""
        return await self._call("training.get_learner", {"learner": learner, "workspace": workspace}, Learner)

    async def get_learner_series(self, *, learner: str, workspace: str | None = None) -> list[LearnerPoint]:
        """Show how well a learner answered rows before it learned them, over time."""
        return await self._call(
            "training.get_learner_series", {"learner": learner, "workspace": workspace}, list[LearnerPoint]
        )

    async def get_metric_history(self, *, run: str, metric: str, workspace: str | None = None) -> list[Point]:
        """Show every value of a metric, step by step."""
        return await self._call(
            "training.get_metric_history", {"run": run, "metric": metric, "workspace": workspace}, list[Point]
        )

    async def get_recipe(self, *, recipe: str) -> RecipeInfo:
        """Show a recipe with its parameters, their defaults and ranges."""
        return await self._call("training.get_recipe", {"recipe": recipe}, RecipeInfo)

    async def get_run(self, *, run: str, workspace: str | None = None) -> Run:
        """Show a run with its metrics, and its progress while it runs."""
        return await self._call("training.get_run", {"run": run, "workspace": workspace}, Run)

    async def get_run_report(self, *, run: str, workspace: str | None = None) -> dict[str, Any]:
        """Show the whole report of a run: folds, curves or residuals, confusion matrix, importance, history."""
        return await self._call("training.get_run_report", {"run": run, "workspace": workspace}, dict[str, Any])

    async def get_split(self, *, split: str, workspace: str | None = None) -> Split:
        """Show a split with its rows by part and class."""
        return await self._call("training.get_split", {"split": split, "workspace": workspace}, Split)

    async def get_study(self, *, study: str, workspace: str | None = None) -> Study:
        """Show a study: how far it is, and which trials are best."""
        return await self._call("training.get_study", {"study": study, "workspace": workspace}, Study)

    async def learn_now(self, *, learner: str, workspace: str | None = None) -> Learner:
        """Learn what has arrived by now, once, while the learner is paused."""
        return await self._call("training.learn_now", {"learner": learner, "workspace": workspace}, Learner)

    async def list_artifacts(self, *, run: str, workspace: str | None = None) -> list[Artifact]:
        """List the files that a run left."""
        return await self._call("training.list_artifacts", {"run": run, "workspace": workspace}, list[Artifact])

    async def list_autos(
        self,
        *,
        workspace: str | None = None,
        state: Literal["RUNNING", "FINISHED", "FAILED", "KILLED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[AutoRun]:
        """List automatic trainings, newest first."""
        return await self._call(
            "training.list_autos",
            {"workspace": workspace, "state": state, "limit": limit, "cursor": cursor},
            Page[AutoRun],
        )

    async def list_best_trials(self, *, study: str, workspace: str | None = None) -> list[Trial]:
        """List the best trials: one for one objective, else all that no other trial beats in everything."""
        return await self._call("training.list_best_trials", {"study": study, "workspace": workspace}, list[Trial])

    async def list_evaluations(self, *, run: str, workspace: str | None = None) -> list[Evaluation]:
        """List the evaluations of a run."""
        return await self._call("training.list_evaluations", {"run": run, "workspace": workspace}, list[Evaluation])

    async def list_experiments(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Experiment]:
        """List experiments, newest first."""
        return await self._call(
            "training.list_experiments", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Experiment]
        )

    async def list_learners(
        self,
        *,
        workspace: str | None = None,
        state: Literal["ACTIVE", "PAUSED", "FAILED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Learner]:
        """List learners, newest first."""
        return await self._call(
            "training.list_learners",
            {"workspace": workspace, "state": state, "limit": limit, "cursor": cursor},
            Page[Learner],
        )

    async def list_recipes(self) -> list[RecipeInfo]:
        """List the recipes that are installed."""
        return await self._call("training.list_recipes", {}, list[RecipeInfo])

    async def list_runs(
        self,
        *,
        workspace: str | None = None,
        experiment: str | None = None,
        recipe: str | None = None,
        task: Literal[
            "classification",
            "regression",
            "anomaly",
            "clustering",
            "ranking",
            "forecasting",
            "multilabel",
            "policy",
            "tagging",
            "language",
            "summary",
            "detection",
        ]
        | None = None,
        state: Literal["SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"] | None = None,
        split: str | None = None,
        dataset: str | None = None,
        where: str | None = None,
        sort: str | None = None,
        ascending: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Run]:
        """List runs, newest first, or by a metric."""
        return await self._call(
            "training.list_runs",
            {
                "workspace": workspace,
                "experiment": experiment,
                "recipe": recipe,
                "task": task,
                "state": state,
                "split": split,
                "dataset": dataset,
                "where": where,
                "sort": sort,
                "ascending": ascending,
                "limit": limit,
                "cursor": cursor,
            },
            Page[Run],
        )

    async def list_snapshots(self, *, learner: str, workspace: str | None = None) -> list[Snapshot]:
        """List the snapshots of a learner, newest first; each is a run with a package."""
        return await self._call("training.list_snapshots", {"learner": learner, "workspace": workspace}, list[Snapshot])

    async def list_split_rows(
        self,
        *,
        split: str,
        part: Literal["train", "validation", "test", "future"],
        workspace: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[str]:
        """List what names the rows of one part: the values of the key column, or hashes of the rows."""
        return await self._call(
            "training.list_split_rows",
            {"split": split, "part": part, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[str],
        )

    async def list_splits(
        self,
        *,
        workspace: str | None = None,
        dataset: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Split]:
        """List splits, newest first."""
        return await self._call(
            "training.list_splits",
            {"workspace": workspace, "dataset": dataset, "limit": limit, "cursor": cursor},
            Page[Split],
        )

    async def list_studies(
        self,
        *,
        workspace: str | None = None,
        state: Literal["RUNNING", "PAUSED", "FINISHED", "FAILED", "KILLED"] | None = None,
        recipe: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Study]:
        """List studies, newest first."""
        return await self._call(
            "training.list_studies",
            {"workspace": workspace, "state": state, "recipe": recipe, "limit": limit, "cursor": cursor},
            Page[Study],
        )

    async def list_trials(
        self,
        *,
        study: str,
        workspace: str | None = None,
        state: Literal["WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Trial]:
        """List the trials of a study in their order: parameters, state, values, and the run of each."""
        return await self._call(
            "training.list_trials",
            {"study": study, "workspace": workspace, "state": state, "limit": limit, "cursor": cursor},
            Page[Trial],
        )

    async def make_snapshot(self, *, learner: str, workspace: str | None = None) -> Learner:
        """Package what the learner knows now as a run, which can be evaluated, registered and served like any other."""
        return await self._call("training.make_snapshot", {"learner": learner, "workspace": workspace}, Learner)

    async def pause_learner(self, *, learner: str, workspace: str | None = None) -> Learner:
        """Learn nothing more until it is resumed; rows that arrive meanwhile wait. A job at work goes on to its end."""
        return await self._call("training.pause_learner", {"learner": learner, "workspace": workspace}, Learner)

    async def pause_study(self, *, study: str, workspace: str | None = None) -> Study:
        """Begin no new trial; those that run go on to their end."""
        return await self._call("training.pause_study", {"study": study, "workspace": workspace}, Study)

    async def recommend_recipes(
        self,
        *,
        split: str,
        workspace: str | None = None,
        budget_s: float | None = None,
        row_us: float | None = None,
        size: int | None = None,
        explainable: bool | None = None,
        folds: int | None = None,
    ) -> list[Recommendation]:
        """Recommend recipes for a split, the best first, and say why; what the limits leave out comes last."""
        return await self._call(
            "training.recommend_recipes",
            {
                "split": split,
                "workspace": workspace,
                "budget_s": budget_s,
                "row_us": row_us,
                "size": size,
                "explainable": explainable,
                "folds": folds,
            },
            list[Recommendation],
        )

    async def register_run(
        self,
        *,
        run: str,
        model: str,
        workspace: str | None = None,
        name: str | None = None,
        description: str | None = None,
    ) -> ModelVersion:
        """Register the package of a run as the next version of a model; the same run is one version."""
        return await self._call(
            "training.register_run",
            {"run": run, "model": model, "workspace": workspace, "name": name, "description": description},
            ModelVersion,
        )

    async def resume_learner(self, *, learner: str, workspace: str | None = None) -> Learner:
        """Go on with a learner that was paused, or that failed; it learns what waited, each row once."""
        return await self._call("training.resume_learner", {"learner": learner, "workspace": workspace}, Learner)

    async def resume_study(self, *, study: str, workspace: str | None = None) -> Study:
        """Go on with a study that was paused, cancelled, or stopped after failures."""
        return await self._call("training.resume_study", {"study": study, "workspace": workspace}, Study)

    async def roll_back_learner(self, *, learner: str, snapshot: int, workspace: str | None = None) -> Learner:
        """Let a paused learner know again what it knew at a snapshot; rows that it took since then are not learned again."""
        return await self._call(
            "training.roll_back_learner", {"learner": learner, "snapshot": snapshot, "workspace": workspace}, Learner
        )

    async def start_auto(
        self,
        *,
        workspace: str | None = None,
        split: str | None = None,
        dataset: str | None = None,
        target: str | None = None,
        key_column: str | None = None,
        name: str | None = None,
        experiment: str | None = None,
        budget_s: float | None = None,
        most: int | None = None,
        blend: bool | None = None,
        row_us: float | None = None,
        size: int | None = None,
        explainable: bool | None = None,
        seed: int | None = None,
        folds: int | None = None,
        key: str | None = None,
    ) -> AutoRun:
        """Train the best few recipes within a time, blend what they learned, and find the best."""
        return await self._call(
            "training.start_auto",
            {
                "workspace": workspace,
                "split": split,
                "dataset": dataset,
                "target": target,
                "key_column": key_column,
                "name": name,
                "experiment": experiment,
                "budget_s": budget_s,
                "most": most,
                "blend": blend,
                "row_us": row_us,
                "size": size,
                "explainable": explainable,
                "seed": seed,
                "folds": folds,
                "key": key,
            },
            AutoRun,
        )

    async def start_own_run(
        self,
        *,
        recipe: str,
        split: str,
        source: str,
        workspace: str | None = None,
        experiment: str | None = None,
        name: str | None = None,
        params: dict[str, Any] | None = None,
        features: list[str] | None = None,
        unseen: dict[str, Literal["serve", "refuse"]] | None = None,
        seed: int | None = None,
        folds: int | None = None,
        tags: dict[str, str] | None = None,
        key: str | None = None,
        slots: int | None = None,
    ) -> Run:
        """Train a recipe of your own: the text of a file, which runs in a sandbox and is kept with the run."""
        return await self._call(
            "training.start_own_run",
            {
                "recipe": recipe,
                "split": split,
                "source": source,
                "workspace": workspace,
                "experiment": experiment,
                "name": name,
                "params": params,
                "features": features,
                "unseen": unseen,
                "seed": seed,
                "folds": folds,
                "tags": tags,
                "key": key,
                "slots": slots,
            },
            Run,
        )

    async def start_run(
        self,
        *,
        recipe: str,
        split: str,
        workspace: str | None = None,
        experiment: str | None = None,
        name: str | None = None,
        params: dict[str, Any] | None = None,
        features: list[str] | None = None,
        unseen: dict[str, Literal["serve", "refuse"]] | None = None,
        seed: int | None = None,
        folds: int | None = None,
        tags: dict[str, str] | None = None,
        key: str | None = None,
    ) -> Run:
        """Train a recipe on a split, as a job in a process of its own."""
        return await self._call(
            "training.start_run",
            {
                "recipe": recipe,
                "split": split,
                "workspace": workspace,
                "experiment": experiment,
                "name": name,
                "params": params,
                "features": features,
                "unseen": unseen,
                "seed": seed,
                "folds": folds,
                "tags": tags,
                "key": key,
            },
            Run,
        )

    async def tag_run(
        self, *, run: str, tags: dict[str, str], workspace: str | None = None, expected_version: int | None = None
    ) -> Run:
        """Set tags of a run; an empty value takes a tag away."""
        return await self._call(
            "training.tag_run",
            {"run": run, "tags": tags, "workspace": workspace, "expected_version": expected_version},
            Run,
        )

    async def update_learner(
        self,
        *,
        learner: str,
        workspace: str | None = None,
        name: str | None = None,
        snapshot_every: int | None = None,
        snapshot_on_drift: bool | None = None,
        memory_mb: int | None = None,
        expected_version: int | None = None,
    ) -> Learner:
        """Change the name of a learner, when it makes snapshots, or how much memory it may take."""
        return await self._call(
            "training.update_learner",
            {
                "learner": learner,
                "workspace": workspace,
                "name": name,
                "snapshot_every": snapshot_every,
                "snapshot_on_drift": snapshot_on_drift,
                "memory_mb": memory_mb,
                "expected_version": expected_version,
            },
            Learner,
        )
