"""What an endpoint takes, and what it answers to a row that somebody tries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aimass.kernel.explaining import explained_outputs
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.models import Column, Package, read_package
from aimass.serving.domain.trials import (
    EndpointSignature,
    ExplainRow,
    GetSignature,
    Input,
    RowExplanation,
    Trial,
    TryEndpoint,
)
from aimass.serving.library import value_of
from aimass.serving.service.views import Views
from aimass.serving.store import queries


class Trials(Views):
    """Use cases of people who try an endpoint."""

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/signature",
        permission="serving.read",
        on="endpoint",
        cli="services signature",
    )
    def get_signature(self, who: Principal, command: GetSignature) -> EndpointSignature:
        """Show the inputs that an endpoint takes, each with an example, and the classes that it answers.

        Raises
        ------
        NotServing
            Nothing answers there yet.
        """
        del who
        revision = self._main(command.workspace, command.endpoint)
        package = read_package(Path(revision.package))
        samples: dict[str, list[Any]] = package.samples()["inputs"]
        return EndpointSignature(
            endpoint=command.endpoint,
            model=revision.model,
            model_version=revision.model_version,
            inputs=_inputs(package, samples, command.sample),
            classes=list(package.manifest.signature.classes),
            samples=max((len(values) for values in samples.values()), default=0),
            streams=package.manifest.signature.streams,
            explains=_is_explained(package, samples),
        )

    @use_case(
        "POST /workspaces/{workspace}/endpoints/{endpoint}/try",
        permission="serving.use",
        on="endpoint",
        cli="services try",
    )
    def try_endpoint(self, who: Principal, command: TryEndpoint) -> Trial:
        """Send one row through the gateway with a short-lived key of your own, and show what came back.

        The request is checked, limited, answered, counted and recorded like that of any program.
        """
        self._main(command.workspace, command.endpoint)
        said = self._ground.tryouts.ask(who, command.workspace, command.endpoint, command.row, command.parameters)
        with self._database.read() as conn:
            revision = queries.revisions_by_id(conn, [said.revision])[said.revision]
        classes = read_package(Path(revision.package)).manifest.signature.classes
        shares = said.outputs.get("probabilities") or ()
        return Trial(
            request_id=said.request_id,
            label=_label_of(said.outputs),
            probabilities=dict(zip(classes, shares, strict=False)),
            outputs=said.outputs,
            latency_ms=said.seconds * 1000,
            deployment=revision.name,
            revision=revision.id,
            number=revision.number,
            model=revision.model,
            model_version=revision.model_version,
        )

    @use_case(
        "POST /workspaces/{workspace}/endpoints/{endpoint}/explain",
        permission="serving.use",
        on="endpoint",
        cli="services explain",
    )
    def explain_row(self, who: Principal, command: ExplainRow) -> RowExplanation:
        """Show what each input of one row contributed to the answer of an endpoint: Shapley values, estimated.

        The question goes through the gateway with a short-lived key of your own; it is no traffic of the model, so it is
        neither recorded nor counted among its answers.
        """
        self._main(command.workspace, command.endpoint)
        said, seconds = self._ground.tryouts.explain(
            who, command.workspace, command.endpoint, command.row, command.target
        )
        with self._database.read() as conn:
            revision = queries.revisions_by_id(conn, [said.revision])[said.revision]
        order = sorted(said.shares, key=lambda name: -abs(said.shares[name]))
        return RowExplanation(
            shares={name: said.shares[name] for name in order},
            errors={name: said.errors[name] for name in order},
            base=said.base,
            value=said.value,
            target=said.target,
            output=said.output,
            classes=list(read_package(Path(revision.package)).manifest.signature.classes),
            request_id=said.request_id,
            latency_ms=seconds * 1000,
            deployment=revision.name,
            revision=revision.id,
            number=revision.number,
            model=revision.model,
            model_version=revision.model_version,
        )


def _is_explained(package: Package, samples: Mapping[str, list[Any]]) -> bool:
    """Tell whether the data plane would explain a row: of a table, beside samples, by an output that is a number."""
    signature = package.manifest.signature
    is_table = all(column.shape is None and samples.get(column.name) for column in signature.inputs)
    return is_table and not signature.streams and bool(explained_outputs(asdict(one) for one in signature.outputs))


def _inputs(package: Package, samples: dict[str, list[Any]], number: int) -> list[Input]:
    return [
        Input(
            name=column.name,
            type=column.type,
            nullable=column.nullable,
            categories=list(column.categories) if column.categories is not None else None,
            unseen=column.unseen,
            example=_example(column, samples.get(column.name), number),
            shape=list(column.shape) if column.shape is not None else None,
            datatype=column.element if column.shape is not None else None,
        )
        for column in package.manifest.signature.inputs
    ]


def _example(column: Column, values: list[Any] | None, number: int) -> Any:
    if column.shape is not None and column.shape[:1] != (-1,):
        return values
    return values[number % len(values)] if values else value_of(column.type, values)


def _label_of(outputs: Mapping[str, Any]) -> Any:
    """Return the class that a model says, or the labels that it chooses of several; None where it says a number."""
    if "labels" in outputs and "probabilities" in outputs:
        return [name for name in outputs["labels"] if name]
    return outputs.get("label")
