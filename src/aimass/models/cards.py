"""Write a model card from facts; people add what facts cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimass.kernel.clock import parse_instant
from aimass.models.domain import Card, CardSection, ModelVersion
from aimass.models.package import is_of_policy

METRICS = {"roc_auc": "ROC AUC", "rmse": "RMSE"}
TITLES = {
    "summary": "Summary",
    "intended_use": "Intended use",
    "data": "Data",
    "training": "Training",
    "evaluation": "Evaluation",
    "inputs": "Inputs and outputs",
    "limits": "Limits",
    "lineage": "Lineage",
}


def facts_sections(version: ModelVersion) -> dict[str, dict[str, Any]]:
    """Return the sections that the facts of a version can fill, as they are stored."""
    texts = {
        "summary": _summary(version),
        "data": _data(version),
        "training": _training(version),
        "evaluation": _evaluation(version),
        "inputs": _inputs(version),
        "steps": _steps(version),
        "limits": _limits(version),
        "lineage": _lineage(version),
    }
    return {name: {"facts": text} for name, text in texts.items() if text}


def card_of(version: ModelVersion, sections: Mapping[str, Mapping[str, Any]], number: int) -> Card:
    """Return the card: the words of a person where there are some, else those of the facts."""
    order = [*TITLES, *sorted(name for name in sections if name not in TITLES)]
    known = [(name, sections[name]) for name in order if name in sections]
    return Card(
        workspace=version.workspace,
        model=version.model,
        number=version.number,
        sections=tuple(_section(name, stored) for name, stored in known),
        version=number,
    )


def _section(name: str, stored: Mapping[str, Any]) -> CardSection:
    return CardSection(
        name=name,
        title=stored.get("title") or TITLES.get(name) or name.replace("_", " ").capitalize(),
        text=stored.get("text") or stored.get("facts", ""),
        origin="person" if stored.get("text") else "facts",
        edited_by=stored.get("by"),
        edited_at=parse_instant(stored["at"]) if stored.get("at") else None,
    )


def _summary(version: ModelVersion) -> str:
    facts = version.facts
    what = f"`{version.model}` version {version.number}"
    if facts.target:
        classes = ", ".join(f"`{name}`" for name in version.signature.classes) or "a number"
        told = f"predicts `{facts.target}` ({classes})"
        if is_of_policy(version.signature):
            told = f"chooses one of {classes} by what came of them, `{facts.target}`,"
        what += f" {told} from {len(version.signature.inputs)} inputs"
    how = f" It was trained by recipe `{facts.recipe}` {facts.recipe_version or ''}".rstrip() if facts.recipe else ""
    return f"{what}.{how + '.' if how else ''} It runs as {version.runtime}, {version.size:,} bytes."


def _data(version: ModelVersion) -> str:
    facts = version.facts
    if not facts.dataset:
        return ""
    target = f"target `{facts.target}`" if facts.target else "no target"
    lines = [f"Dataset `{facts.dataset}` version {facts.dataset_version}, {target}."]
    if facts.rows:
        parts = ", ".join(f"{name} {count:,}" for name, count in facts.rows.items())
        lines.append(f"Rows by part (seed {facts.seed}): {parts}.")
    return "\n\n".join([*lines, *facts.notes])


def _training(version: ModelVersion) -> str:
    facts = version.facts
    if not facts.recipe:
        return ""
    rows = [f"| {name} | {value} |" for name, value in facts.params.items()]
    table = "\n".join(["| parameter | value |", "| --- | --- |", *rows]) if rows else ""
    return f"Recipe `{facts.recipe}` {facts.recipe_version or ''}".rstrip() + (f"\n\n{table}" if table else "")


def _evaluation(version: ModelVersion) -> str:
    lines = [f"| {name} | {_number(value)} |" for name, value in version.metrics.items()]
    text = "\n".join(["| metric | value |", "| --- | --- |", *lines]) if lines else ""
    known = version.facts.evaluation
    found = known.get("interval") or ({"metric": "roc_auc", **known["auc"]} if known.get("auc") else None)
    if found:
        what = METRICS.get(found["metric"], found["metric"])
        text += (
            f"\n\nOn the {known.get('rows'):,} rows of part `{known.get('part')}`, never used for training or choosing: {what} "
            f"{_number(found['value'])}, {found['level']:.0%} interval {_number(found['low'])} to {_number(found['high'])} "
            f"({found['method']})."
        )
    return text.strip()


def _number(value: float) -> str:
    """Write a score with four places; one in the unit of a large target with four digits.

    Examples
    --------
    >>> _number(0.84567), _number(0.00012345), _number(54123.4)
    ('0.8457', '0.0001', '54,123')
    """
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.0f}"  # noqa: PLR2004 digits


def _inputs(version: ModelVersion) -> str:
    lines = ["| input | type | null | values | unseen |", "| --- | --- | --- | --- | --- |"]
    for column in version.signature.inputs:
        values = "" if column.categories is None else f"{len(column.categories)} known"
        null = "yes" if column.nullable else "no"
        lines.append(f"| {column.name} | {column.type} | {null} | {values} | {column.unseen if values else ''} |")
    return "\n".join(lines)


def _steps(version: ModelVersion) -> str:
    lines = [f"| {one.step} | {one.model} version {one.number} | `{one.digest[:12]}` |" for one in version.facts.steps]
    return "\n".join(["| step | version | package |", "| --- | --- | --- |", *lines]) if lines else ""


def _limits(version: ModelVersion) -> str:
    limits: list[str] = []
    if version.facts.dataset:
        limits.append(
            f"It knows only what `{version.facts.dataset}` version {version.facts.dataset_version} shows: answers for "
            "other kinds of rows are guesses. Watch its drift monitor."
        )
    refused = [c.name for c in version.signature.inputs if c.unseen == "refuse" and c.categories is not None]
    served = [c.name for c in version.signature.inputs if c.unseen == "serve" and c.categories is not None]
    if refused:
        limits.append(f"Values that training never saw are refused in: {', '.join(refused)}.")
    if served:
        limits.append(f"Values that training never saw are answered as 'none of the known' in: {', '.join(served)}.")
    if version.why_python:
        limits.append(f"Served by Python, slower than ONNX: {version.why_python}.")
    return "\n".join(f"- {limit}" for limit in limits)


def _lineage(version: ModelVersion) -> str:
    facts = version.facts
    steps = [f"dataset `{facts.dataset}` version {facts.dataset_version}"] if facts.dataset else []
    steps.append(f"{version.origin} `{version.source}`")
    steps.append(f"package `{version.digest}`")
    steps.append(f"registered by {version.author_name}")
    return " → ".join(steps)
