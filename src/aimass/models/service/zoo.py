"""Ready models: list them, and take one into the library of a workspace."""

from __future__ import annotations

from aimass.kernel.errors import Failed
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import SIGNED_IN, use_case
from aimass.models.domain import Facts, ListReady, ModelVersion, OneReady, Registration, TakeReady
from aimass.models.service.versions import Versions
from aimass.models.zoo import ReadyModel, find_ready, package_folder, ready_models


class Zoo(Versions):
    """What is there to be used without being trained first."""

    @use_case("GET /zoo", permission=SIGNED_IN, cli="zoo list")
    def list_ready(self, who: Principal, command: ListReady) -> list[ReadyModel]:
        """List the ready models that are installed."""
        del who
        words = (command.text or "").lower().split()
        return [
            ready
            for ready in ready_models().values()
            if command.family in (None, ready.family)
            and command.task in (None, ready.task)
            and all(word in f"{ready.name} {ready.title} {ready.summary}".lower() for word in words)
        ]

    @use_case("GET /zoo/{ready}", permission=SIGNED_IN, cli="zoo show")
    def get_ready(self, who: Principal, command: OneReady) -> ReadyModel:
        """Show a ready model: what it answers, what it reached, and what it learned from."""
        del who
        return find_ready(command.ready)

    @use_case("POST /workspaces/{workspace}/zoo/{ready}", permission="models.edit", cli="zoo take", status=201)
    def take_ready(self, who: Principal, command: TakeReady) -> ModelVersion:
        """Register a ready model as a version of the library; the same again makes nothing new.

        The version is reviewed like any other before somebody can serve it.
        """
        ready = find_ready(command.ready)
        package = self.keep_package(package_folder(ready.name))
        if package.digest != ready.digest:
            raise Failed(f"ready model {ready.name!r} was changed after it was made", hint="install it again")
        slug = command.model or ready.name
        who.need("models.edit", command.workspace, f"model:{slug}")
        return self.register(
            who,
            Registration(
                workspace=command.workspace,
                model=slug,
                name=None if command.model else ready.title,
                digest=package.digest,
                origin="zoo",
                source=ready.name,
                key=f"zoo:{package.digest}",
                description=ready.summary,
                facts=_facts(ready),
                metrics=ready.metrics,
                card={"data": _data(ready), **ready.card},
            ),
        )


def _facts(ready: ReadyModel) -> Facts:
    return Facts(
        recipe=ready.recipe,
        recipe_version=ready.recipe_version,
        params=ready.params,
        target=ready.target,
        task=ready.task,
        rows=ready.rows,
        seed=ready.seed,
        evaluation=ready.evaluation,
    )


def _data(ready: ReadyModel) -> str:
    """Write down what a model learned from, for a reader who has no such dataset."""
    return f"{ready.data.title}. Source: {ready.data.source}. Licence: {ready.data.licence}."
