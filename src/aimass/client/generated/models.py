"""Methods of models. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from typing import Any, Literal

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.cluster_types import Job
from aimass.client.generated.models_types import Alias, Card, Model, ModelVersion, ReadyModel, Review, VersionComparison
from aimass.kernel.pages import Page


class ModelsCalls(Calls):
    """Operations of models."""

    def approve(self, *, model: str, number: int, workspace: str | None = None, comment: str | None = None) -> Review:
        """Approve a version whose checks have all passed; its author may not."""
        return self._call(
            "models.approve", {"model": model, "number": number, "workspace": workspace, "comment": comment}, Review
        )

    def change_model(
        self,
        *,
        model: str,
        workspace: str | None = None,
        name: str | None = None,
        description: str | None = None,
        expected_version: int | None = None,
    ) -> Model:
        """Change name or description of a model."""
        return self._call(
            "models.change_model",
            {
                "model": model,
                "workspace": workspace,
                "name": name,
                "description": description,
                "expected_version": expected_version,
            },
            Model,
        )

    def compare_versions(
        self, *, model: str, first: int, second: int, workspace: str | None = None
    ) -> VersionComparison:
        """Compare two versions: metrics side by side, and what differs in data, recipe, parameters and signature."""
        return self._call(
            "models.compare_versions",
            {"model": model, "first": first, "second": second, "workspace": workspace},
            VersionComparison,
        )

    def compose(
        self,
        *,
        model: str,
        graph: dict[str, Any],
        workspace: str | None = None,
        rows: dict[str, list[Any]] | None = None,
        description: str | None = None,
        key: str | None = None,
    ) -> Job:
        """Compose approved versions into a graph: a job builds its package, registers it, and lets it be reviewed."""
        return self._call(
            "models.compose",
            {
                "model": model,
                "graph": graph,
                "workspace": workspace,
                "rows": rows,
                "description": description,
                "key": key,
            },
            Job,
        )

    def create_model(
        self, *, name: str, workspace: str | None = None, slug: str | None = None, description: str | None = None
    ) -> Model:
        """Create a model without versions."""
        return self._call(
            "models.create_model",
            {"name": name, "workspace": workspace, "slug": slug, "description": description},
            Model,
        )

    def delete_model(self, *, model: str, workspace: str | None = None) -> None:
        """Delete a model with all versions; refused while an alias points to one."""
        return self._call("models.delete_model", {"model": model, "workspace": workspace}, None)

    def delete_version(self, *, model: str, number: int, workspace: str | None = None) -> None:
        """Delete a version; refused while an alias points to it."""
        return self._call("models.delete_version", {"model": model, "number": number, "workspace": workspace}, None)

    def edit_card(
        self,
        *,
        model: str,
        number: int,
        section: str,
        text: str,
        workspace: str | None = None,
        title: str | None = None,
        expected_version: int | None = None,
    ) -> Card:
        """Write a section of a card; an empty text gives the facts their word back."""
        return self._call(
            "models.edit_card",
            {
                "model": model,
                "number": number,
                "section": section,
                "text": text,
                "workspace": workspace,
                "title": title,
                "expected_version": expected_version,
            },
            Card,
        )

    def get_alias(self, *, model: str, alias: str, workspace: str | None = None) -> Alias:
        """Show where an alias points, and where it pointed before."""
        return self._call("models.get_alias", {"model": model, "alias": alias, "workspace": workspace}, Alias)

    def get_card(self, *, model: str, number: int, workspace: str | None = None) -> Card:
        """Show the model card of a version."""
        return self._call("models.get_card", {"model": model, "number": number, "workspace": workspace}, Card)

    def get_model(self, *, model: str, workspace: str | None = None) -> Model:
        """Show a model with its newest version and its aliases."""
        return self._call("models.get_model", {"model": model, "workspace": workspace}, Model)

    def get_ready(self, *, ready: str) -> ReadyModel:
        """Show a ready model: what it answers, what it reached, and what it learned from."""
        return self._call("models.get_ready", {"ready": ready}, ReadyModel)

    def get_review(self, *, model: str, number: int, workspace: str | None = None) -> Review:
        """Show the newest review of a version with the evidence of each check."""
        return self._call("models.get_review", {"model": model, "number": number, "workspace": workspace}, Review)

    def get_version(self, *, model: str, number: int, workspace: str | None = None) -> ModelVersion:
        """Show a version: its signature, where it comes from, and how far its review is."""
        return self._call(
            "models.get_version", {"model": model, "number": number, "workspace": workspace}, ModelVersion
        )

    def list_aliases(self, *, model: str, workspace: str | None = None) -> list[Alias]:
        """List the aliases of a model."""
        return self._call("models.list_aliases", {"model": model, "workspace": workspace}, list[Alias])

    def list_models(
        self,
        *,
        workspace: str | None = None,
        text: str | None = None,
        alias: str | None = None,
        review: Literal["SUBMITTED", "SCANNING", "QUARANTINED", "APPROVED", "REJECTED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Model]:
        """List models, newest first."""
        return self._call(
            "models.list_models",
            {"workspace": workspace, "text": text, "alias": alias, "review": review, "limit": limit, "cursor": cursor},
            Page[Model],
        )

    def list_ready(
        self,
        *,
        text: str | None = None,
        family: Literal[
            "tabular",
            "image-classification",
            "object-detection",
            "speech",
            "text-classification",
            "named-entities",
            "summary",
            "clustering",
            "language-model",
            "forecasting",
            "anomaly",
            "ranking",
            "bandit",
        ]
        | None = None,
        task: str | None = None,
    ) -> list[ReadyModel]:
        """List the ready models that are installed."""
        return self._call("models.list_ready", {"text": text, "family": family, "task": task}, list[ReadyModel])

    def list_reviews(
        self,
        *,
        workspace: str | None = None,
        state: Literal["SUBMITTED", "SCANNING", "QUARANTINED", "APPROVED", "REJECTED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Review]:
        """List reviews, newest first."""
        return self._call(
            "models.list_reviews",
            {"workspace": workspace, "state": state, "limit": limit, "cursor": cursor},
            Page[Review],
        )

    def list_versions(
        self,
        *,
        model: str,
        workspace: str | None = None,
        review: Literal["SUBMITTED", "SCANNING", "QUARANTINED", "APPROVED", "REJECTED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[ModelVersion]:
        """List the versions of a model, newest first."""
        return self._call(
            "models.list_versions",
            {"model": model, "workspace": workspace, "review": review, "limit": limit, "cursor": cursor},
            Page[ModelVersion],
        )

    def reject(self, *, model: str, number: int, workspace: str | None = None, comment: str | None = None) -> Review:
        """Reject a version."""
        return self._call(
            "models.reject", {"model": model, "number": number, "workspace": workspace, "comment": comment}, Review
        )

    def remove_alias(self, *, model: str, alias: str, workspace: str | None = None) -> None:
        """Take an alias away."""
        return self._call("models.remove_alias", {"model": model, "alias": alias, "workspace": workspace}, None)

    def set_alias(
        self, *, model: str, alias: str, number: int, workspace: str | None = None, expected_version: int | None = None
    ) -> Alias:
        """Point an alias to an approved version."""
        return self._call(
            "models.set_alias",
            {
                "model": model,
                "alias": alias,
                "number": number,
                "workspace": workspace,
                "expected_version": expected_version,
            },
            Alias,
        )

    def submit_review(self, *, model: str, number: int, workspace: str | None = None) -> Review:
        """Let a version be reviewed; while a review is open, that one is returned."""
        return self._call("models.submit_review", {"model": model, "number": number, "workspace": workspace}, Review)

    def take_ready(self, *, ready: str, workspace: str | None = None, model: str | None = None) -> ModelVersion:
        """Register a ready model as a version of the library; the same again makes nothing new."""
        return self._call("models.take_ready", {"ready": ready, "workspace": workspace, "model": model}, ModelVersion)


class AsyncModelsCalls(AsyncCalls):
    """Operations of models, for asyncio."""

    async def approve(
        self, *, model: str, number: int, workspace: str | None = None, comment: str | None = None
    ) -> Review:
        """Approve a version whose checks have all passed; its author may not."""
        return await self._call(
            "models.approve", {"model": model, "number": number, "workspace": workspace, "comment": comment}, Review
        )

    async def change_model(
        self,
        *,
        model: str,
        workspace: str | None = None,
        name: str | None = None,
        description: str | None = None,
        expected_version: int | None = None,
    ) -> Model:
        """Change name or description of a model."""
        return await self._call(
            "models.change_model",
            {
                "model": model,
                "workspace": workspace,
                "name": name,
                "description": description,
                "expected_version": expected_version,
            },
            Model,
        )

    async def compare_versions(
        self, *, model: str, first: int, second: int, workspace: str | None = None
    ) -> VersionComparison:
        """Compare two versions: metrics side by side, and what differs in data, recipe, parameters and signature."""
        return await self._call(
            "models.compare_versions",
            {"model": model, "first": first, "second": second, "workspace": workspace},
            VersionComparison,
        )

    async def compose(
        self,
        *,
        model: str,
        graph: dict[str, Any],
        workspace: str | None = None,
        rows: dict[str, list[Any]] | None = None,
        description: str | None = None,
        key: str | None = None,
    ) -> Job:
        """Compose approved versions into a graph: a job builds its package, registers it, and lets it be reviewed."""
        return await self._call(
            "models.compose",
            {
                "model": model,
                "graph": graph,
                "workspace": workspace,
                "rows": rows,
                "description": description,
                "key": key,
            },
            Job,
        )

    async def create_model(
        self, *, name: str, workspace: str | None = None, slug: str | None = None, description: str | None = None
    ) -> Model:
        """Create a model without versions."""
        return await self._call(
            "models.create_model",
            {"name": name, "workspace": workspace, "slug": slug, "description": description},
            Model,
        )

    async def delete_model(self, *, model: str, workspace: str | None = None) -> None:
        """Delete a model with all versions; refused while an alias points to one."""
        return await self._call("models.delete_model", {"model": model, "workspace": workspace}, None)

    async def delete_version(self, *, model: str, number: int, workspace: str | None = None) -> None:
        """Delete a version; refused while an alias points to it."""
        return await self._call(
            "models.delete_version", {"model": model, "number": number, "workspace": workspace}, None
        )

    async def edit_card(
        self,
        *,
        model: str,
        number: int,
        section: str,
        text: str,
        workspace: str | None = None,
        title: str | None = None,
        expected_version: int | None = None,
    ) -> Card:
        """Write a section of a card; an empty text gives the facts their word back."""
        return await self._call(
            "models.edit_card",
            {
                "model": model,
                "number": number,
                "section": section,
                "text": text,
                "workspace": workspace,
                "title": title,
                "expected_version": expected_version,
            },
            Card,
        )

    async def get_alias(self, *, model: str, alias: str, workspace: str | None = None) -> Alias:
        """Show where an alias points, and where it pointed before."""
        return await self._call("models.get_alias", {"model": model, "alias": alias, "workspace": workspace}, Alias)

    async def get_card(self, *, model: str, number: int, workspace: str | None = None) -> Card:
        """Show the model card of a version."""
        return await self._call("models.get_card", {"model": model, "number": number, "workspace": workspace}, Card)

    async def get_model(self, *, model: str, workspace: str | None = None) -> Model:
        """Show a model with its newest version and its aliases."""
        return await self._call("models.get_model", {"model": model, "workspace": workspace}, Model)

    async def get_ready(self, *, ready: str) -> ReadyModel:
        """Show a ready model: what it answers, what it reached, and what it learned from."""
        return await self._call("models.get_ready", {"ready": ready}, ReadyModel)

    async def get_review(self, *, model: str, number: int, workspace: str | None = None) -> Review:
        """Show the newest review of a version with the evidence of each check."""
        return await self._call("models.get_review", {"model": model, "number": number, "workspace": workspace}, Review)

    async def get_version(self, *, model: str, number: int, workspace: str | None = None) -> ModelVersion:
        """Show a version: its signature, where it comes from, and how far its review is."""
        return await self._call(
            "models.get_version", {"model": model, "number": number, "workspace": workspace}, ModelVersion
        )

    async def list_aliases(self, *, model: str, workspace: str | None = None) -> list[Alias]:
        """List the aliases of a model."""
        return await self._call("models.list_aliases", {"model": model, "workspace": workspace}, list[Alias])

    async def list_models(
        self,
        *,
        workspace: str | None = None,
        text: str | None = None,
        alias: str | None = None,
        review: Literal["SUBMITTED", "SCANNING", "QUARANTINED", "APPROVED", "REJECTED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Model]:
        """List models, newest first."""
        return await self._call(
            "models.list_models",
            {"workspace": workspace, "text": text, "alias": alias, "review": review, "limit": limit, "cursor": cursor},
            Page[Model],
        )

    async def list_ready(
        self,
        *,
        text: str | None = None,
        family: Literal[
            "tabular",
            "image-classification",
            "object-detection",
            "speech",
            "text-classification",
            "named-entities",
            "summary",
            "clustering",
            "language-model",
            "forecasting",
            "anomaly",
            "ranking",
            "bandit",
        ]
        | None = None,
        task: str | None = None,
    ) -> list[ReadyModel]:
        """List the ready models that are installed."""
        return await self._call("models.list_ready", {"text": text, "family": family, "task": task}, list[ReadyModel])

    async def list_reviews(
        self,
        *,
        workspace: str | None = None,
        state: Literal["SUBMITTED", "SCANNING", "QUARANTINED", "APPROVED", "REJECTED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Review]:
        """List reviews, newest first."""
        return await self._call(
            "models.list_reviews",
            {"workspace": workspace, "state": state, "limit": limit, "cursor": cursor},
            Page[Review],
        )

    async def list_versions(
        self,
        *,
        model: str,
        workspace: str | None = None,
        review: Literal["SUBMITTED", "SCANNING", "QUARANTINED", "APPROVED", "REJECTED"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[ModelVersion]:
        """List the versions of a model, newest first."""
        return await self._call(
            "models.list_versions",
            {"model": model, "workspace": workspace, "review": review, "limit": limit, "cursor": cursor},
            Page[ModelVersion],
        )

    async def reject(
        self, *, model: str, number: int, workspace: str | None = None, comment: str | None = None
    ) -> Review:
        """Reject a version."""
        return await self._call(
            "models.reject", {"model": model, "number": number, "workspace": workspace, "comment": comment}, Review
        )

    async def remove_alias(self, *, model: str, alias: str, workspace: str | None = None) -> None:
        """Take an alias away."""
        return await self._call("models.remove_alias", {"model": model, "alias": alias, "workspace": workspace}, None)

    async def set_alias(
        self, *, model: str, alias: str, number: int, workspace: str | None = None, expected_version: int | None = None
    ) -> Alias:
        """Point an alias to an approved version."""
        return await self._call(
            "models.set_alias",
            {
                "model": model,
                "alias": alias,
                "number": number,
                "workspace": workspace,
                "expected_version": expected_version,
            },
            Alias,
        )

    async def submit_review(self, *, model: str, number: int, workspace: str | None = None) -> Review:
        """Let a version be reviewed; while a review is open, that one is returned."""
        return await self._call(
            "models.submit_review", {"model": model, "number": number, "workspace": workspace}, Review
        )

    async def take_ready(self, *, ready: str, workspace: str | None = None, model: str | None = None) -> ModelVersion:
        """Register a ready model as a version of the library; the same again makes nothing new."""
        return await self._call(
            "models.take_ready", {"ready": ready, "workspace": workspace, "model": model}, ModelVersion
        )
