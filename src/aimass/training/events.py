"""What the room tells: facts for the event log, and news for open pages."""

from __future__ import annotations

from aimass.infra.live import LiveHub
from aimass.training.domain.autos import AutoRun
from aimass.training.domain.learners import Learner
from aimass.training.domain.runs import Run
from aimass.training.domain.studies import Study

EXPERIMENT_CREATED = "training.experiment.created"
EXPERIMENT_DELETED = "training.experiment.deleted"
EXPERIMENT_PURGED = "training.experiment.purged"
SPLIT_CREATED = "training.split.created"
SPLIT_READY = "training.split.ready"
SPLIT_FAILED = "training.split.failed"
RUN_CREATED = "training.run.created"
RUN_STARTED = "training.run.started"
RUN_FINISHED = "training.run.finished"
RUN_FAILED = "training.run.failed"
RUN_KILLED = "training.run.killed"
RUN_TAGGED = "training.run.tagged"
RUN_DELETED = "training.run.deleted"
RUN_PURGED = "training.run.purged"
EVALUATION_READY = "training.evaluation.ready"
EVALUATION_FAILED = "training.evaluation.failed"
AUTO_STARTED = "training.auto.started"
AUTO_FINISHED = "training.auto.finished"
AUTO_FAILED = "training.auto.failed"
AUTO_KILLED = "training.auto.killed"
AUTO_DELETED = "training.auto.deleted"
AUTO_PURGED = "training.auto.purged"
STUDY_CREATED = "training.study.created"
STUDY_PAUSED = "training.study.paused"
STUDY_RESUMED = "training.study.resumed"
STUDY_EXTENDED = "training.study.extended"
STUDY_FINISHED = "training.study.finished"
STUDY_FAILED = "training.study.failed"
STUDY_KILLED = "training.study.killed"
STUDY_DELETED = "training.study.deleted"
STUDY_PURGED = "training.study.purged"
TRIAL_ENDED = "training.trial.ended"
LEARNER_CREATED = "training.learner.created"
LEARNER_UPDATED = "training.learner.updated"
LEARNER_PAUSED = "training.learner.paused"
LEARNER_RESUMED = "training.learner.resumed"
LEARNER_FAILED = "training.learner.failed"
LEARNER_DRIFTED = "training.learner.drifted"
LEARNER_ROLLED_BACK = "training.learner.rolled_back"
LEARNER_DELETED = "training.learner.deleted"
LEARNER_PURGED = "training.learner.purged"
SNAPSHOT_CREATED = "training.snapshot.created"
ALL = (
    AUTO_STARTED,
    AUTO_FINISHED,
    AUTO_FAILED,
    AUTO_KILLED,
    AUTO_DELETED,
    AUTO_PURGED,
    EXPERIMENT_CREATED,
    EXPERIMENT_DELETED,
    EXPERIMENT_PURGED,
    SPLIT_CREATED,
    SPLIT_READY,
    SPLIT_FAILED,
    RUN_CREATED,
    RUN_STARTED,
    RUN_FINISHED,
    RUN_FAILED,
    RUN_KILLED,
    RUN_TAGGED,
    RUN_DELETED,
    RUN_PURGED,
    EVALUATION_READY,
    EVALUATION_FAILED,
    STUDY_CREATED,
    STUDY_PAUSED,
    STUDY_RESUMED,
    STUDY_EXTENDED,
    STUDY_FINISHED,
    STUDY_FAILED,
    STUDY_KILLED,
    STUDY_DELETED,
    STUDY_PURGED,
    TRIAL_ENDED,
    LEARNER_CREATED,
    LEARNER_UPDATED,
    LEARNER_PAUSED,
    LEARNER_RESUMED,
    LEARNER_FAILED,
    LEARNER_DRIFTED,
    LEARNER_ROLLED_BACK,
    LEARNER_DELETED,
    LEARNER_PURGED,
    SNAPSHOT_CREATED,
)


def tell(live: LiveHub, run: Run) -> None:
    """Show a run's state on the pages that follow the run, or the list of runs."""
    news = {
        "id": run.id,
        "experiment": run.experiment,
        "recipe": run.recipe,
        "name": run.name,
        "state": run.state,
        "metrics": dict(run.metrics),
    }
    live.publish(f"{run.workspace}/run:{run.id}", news)
    live.publish(f"{run.workspace}/runs", news)


def tell_auto(live: LiveHub, auto: AutoRun) -> None:
    """Show an automatic training's state on the pages that follow it, or the list."""
    news = {"id": auto.id, "name": auto.name, "state": auto.state, "best": auto.best}
    live.publish(f"{auto.workspace}/auto:{auto.id}", news)
    live.publish(f"{auto.workspace}/autos", news)


def tell_study(live: LiveHub, study: Study) -> None:
    """Show the state of a study on the pages that follow it, or the list of studies."""
    news = {"id": study.id, "slug": study.slug, "name": study.name, "state": study.state, "counts": dict(study.counts)}
    live.publish(f"{study.workspace}/study:{study.id}", news | {"fraction": study.fraction, "stage": study.stage})
    live.publish(f"{study.workspace}/studies", news)


def tell_learner(live: LiveHub, learner: Learner) -> None:
    """Show the state of a learner on the pages that follow it, or the list."""
    news = {"id": learner.id, "slug": learner.slug, "name": learner.name, "state": learner.state, "rows": learner.rows}
    live.publish(f"{learner.workspace}/learner:{learner.id}", news)
    live.publish(f"{learner.workspace}/learners", news)
