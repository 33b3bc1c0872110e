"""The templates: which steps lead from data to a service."""

from __future__ import annotations

from aimass.kernel.errors import Invalid
from aimass.lifecycle.domain import StepPlan, Template

_STEPS = "aimass.lifecycle.steps"

_LEARN = (
    StepPlan(name="train", title="Train the recipes", run=f"{_STEPS}.learn:train"),
    StepPlan(name="choose", title="Choose the best by validation", run=f"{_STEPS}.learn:choose"),
    StepPlan(name="evaluate", title="Evaluate once on the test rows", run=f"{_STEPS}.learn:evaluate"),
    StepPlan(name="package", title="Package it and replay its samples", run=f"{_STEPS}.learn:package"),
    StepPlan(name="register", title="Register a model version with its card", run=f"{_STEPS}.approve:register"),
    StepPlan(
        name="review", title="Review: manifest, formats, smoke, parity, metric gate", run=f"{_STEPS}.approve:review"
    ),
    StepPlan(name="approve", title="Wait for the approval", run=f"{_STEPS}.approve:approve"),
)

RELEASE = Template(
    name="release",
    title="From a dataset to a served model",
    steps=(
        StepPlan(name="data", title="Pin the dataset version", run=f"{_STEPS}.data:pin"),
        StepPlan(name="split", title="Split train, validation, test and future", run=f"{_STEPS}.data:split"),
        *_LEARN,
        StepPlan(name="alias", title="Name it champion", run=f"{_STEPS}.release:name_champion"),
        StepPlan(name="deploy", title="Deploy to the endpoint", run=f"{_STEPS}.release:deploy"),
    ),
    required=("dataset", "target", "model", "endpoint"),
    defaults={
        "recipes": None,
        "params": None,
        "task": None,
        "key_column": None,
        "group_column": None,
        "time_column": None,
        "horizon": None,
        "label_separator": None,
        "action_column": None,
        "propensity_column": None,
        "episode_column": None,
        "step_column": None,
        "discount": None,
        "known_ahead": None,
        "past": None,
        "seed": 42,
        "fractions": {"train": 0.55, "validation": 0.15, "test": 0.15, "future": 0.15},
        "folds": 5,
        "least_score": 0.0,
    },
)

RETRAIN = Template(
    name="retrain",
    title="Train again on what was fed back, or on newer rows, and release through a canary",
    steps=(
        StepPlan(
            name="gather",
            title="Add the fed-back records as a new dataset version, or take the newest",
            run=f"{_STEPS}.gather:gather",
        ),
        StepPlan(name="split", title="Keep the split; new rows go to train", run=f"{_STEPS}.gather:split_again"),
        *_LEARN,
        StepPlan(name="canary", title="Send a part of the traffic to the new version", run=f"{_STEPS}.release:canary"),
        StepPlan(name="decide", title="Promote it or roll it back", run=f"{_STEPS}.release:decide"),
    ),
    required=("dataset", "target", "model", "endpoint"),
    defaults={
        "recipes": None,
        "params": None,
        "task": None,
        "key_column": None,
        "seed": 42,
        "folds": 5,
        "least_score": 0.0,
        "least_labels": 100,
        "canary_weight": 10,
        "canary_steps": None,
        "canary_bake_s": 0,
        "canary_requests": 50,
        "canary_timeout_s": 3600,
        "error_rate_margin": 0.01,
        "latency_ratio": 1.5,
        "latency_margin_s": 0.02,
        "quality_margin": 0.05,
    },
)

TEMPLATES = {template.name: template for template in (RELEASE, RETRAIN)}


def template_of(name: str) -> Template:
    """Return a template by name."""
    if name not in TEMPLATES:
        raise Invalid(f"there is no template {name!r}", field="template", value=name, allowed=sorted(TEMPLATES))
    return TEMPLATES[name]
