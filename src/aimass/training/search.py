"""How runs, experiments, studies and automatic trainings are found."""

from __future__ import annotations

from aimass.infra.search import Document
from aimass.kernel.errors import NotFound
from aimass.kernel.principal import SYSTEM
from aimass.kernel.registry import Registry
from aimass.training.domain.autos import OneAuto
from aimass.training.domain.experiments import OneExperiment
from aimass.training.domain.learners import OneLearner
from aimass.training.service.training import Training


def document(registry: Registry, workspace: str, subject: str) -> Document | None:
    """Return how something of the room is found, or None when it is gone."""
    kind, _, name = subject.partition(":")
    training = registry.get(Training)
    try:
        if kind == "run":
            run = training.run(workspace, name)
            tags = " ".join(f"{tag} {value}" for tag, value in run.tags.items())
            title, text = run.name, f"{run.recipe} {run.dataset} {run.experiment} {run.id} {tags}"
            href = f"/{workspace}/work/training/{run.id}"
        elif kind == "experiment":
            wish = OneExperiment(workspace=workspace, experiment=name)
            experiment = training.get_experiment(SYSTEM, wish)
            title, text = experiment.name, f"{experiment.slug} {experiment.description}"
            href = f"/{workspace}/work/experiments/{experiment.slug}"
        elif kind == "study":
            study = training.study(workspace, name)
            title, text = study.name, f"{study.slug} {study.recipe} {study.experiment} {study.sampler}"
            href = f"/{workspace}/work/studies/{study.slug}"
        elif kind == "auto":
            auto = training.get_auto(SYSTEM, OneAuto(workspace=workspace, auto=name))
            title, text = auto.name, f"{auto.dataset} {auto.target} {auto.experiment}"
            href = f"/{workspace}/work/auto/{auto.id}"
        elif kind == "learner":
            learner = training.get_learner(SYSTEM, OneLearner(workspace=workspace, learner=name))
            title, text = learner.name, f"{learner.slug} {learner.model} {learner.dataset} {learner.target}"
            href = f"/{workspace}/work/learners/{learner.slug}"
        else:
            return None
    except NotFound:
        return None
    return Document(
        workspace=workspace, key=subject, kind=kind, title=title, text=text, href=href, permission="training.read"
    )
