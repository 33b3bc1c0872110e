"""Versions: register, list, compare, delete, and lay their packages out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aimass.infra.database import Change
from aimass.kernel.errors import Conflict
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug, clean_name
from aimass.kernel.numbers import whole
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.models.cards import facts_sections
from aimass.models.domain import (
    CompareVersions,
    Difference,
    ListVersions,
    ModelVersion,
    OneVersion,
    Registration,
    VersionComparison,
)
from aimass.models.errors import NotApproved
from aimass.models.events import REGISTERED, VERSION_DELETED
from aimass.models.package import Manifest, Package
from aimass.models.service.ground import Part, need_alias, need_model, need_version, one
from aimass.models.service.library import new_model
from aimass.models.store import (
    add_version,
    digests,
    find_alias,
    find_model,
    put_card,
    retire_version,
    take_number,
    version_by_key,
    versions_page,
)


class Versions(Part):
    """The immutable packages of a model."""

    def keep_package(self, folder: Path) -> Package:
        """Keep a package that a room made; :meth:`register` then names its digest."""
        return self._packages.put(folder)

    def register(self, who: Principal, wish: Registration) -> ModelVersion:
        """Register a kept package as the next version of a model, on behalf of somebody whose right was checked.

        The model is created when it is missing. A second registration with the same key returns the first version.
        """
        slug = check_slug(wish.model, field="model")
        manifest = self._packages.manifest(wish.digest)
        self._packages.touch(wish.digest)
        with self._database.change(who, wish.workspace) as change:
            if find_model(change.conn, wish.workspace, slug) is None:
                new_model(change, slug, clean_name(wish.name or slug), "")
            known = version_by_key(change.conn, wish.workspace, slug, wish.key)
            if known is not None:
                return _same(known, wish)
            number = take_number(change, wish.workspace, slug)
            add_version(change, _row(change, wish, number, manifest))
            version = need_version(change.conn, wish.workspace, slug, number)
            words = {name: {"facts": text} for name, text in wish.card.items()}
            put_card(change, one(version), {**facts_sections(version), **words}, 1)
            detail = {"digest": wish.digest, "origin": wish.origin, "source": wish.source}
            change.audit("models.version.register", object_=version.subject, detail=detail)
            change.event(REGISTERED, subject=version.subject, data={"model": slug, "number": number, **detail})
            if wish.origin == "run":
                change.edge(src=("run", wish.source), dst=("model_version", f"{slug}/{number}"), via="models.register")
            for step in wish.facts.steps:
                source = ("model_version", f"{step.model}/{step.number}")
                change.edge(src=source, dst=("model_version", f"{slug}/{number}"), via="models.compose")
            return version

    @use_case(
        "GET /workspaces/{workspace}/models/{model}/versions",
        permission="models.read",
        cli="models versions",
        on="model",
    )
    def list_versions(self, who: Principal, command: ListVersions) -> Page[ModelVersion]:
        """List the versions of a model, newest first."""
        del who
        with self._database.read() as conn:
            need_model(conn, command.workspace, command.model)
            return page_of(versions_page(conn, command), command.limit, lambda version: str(version.number))

    @use_case(
        "GET /workspaces/{workspace}/models/{model}/versions/{number}",
        permission="models.read",
        cli="models version",
        on="model",
    )
    def get_version(self, who: Principal, command: OneVersion) -> ModelVersion:
        """Show a version: its signature, where it comes from, and how far its review is."""
        del who
        with self._database.read() as conn:
            return need_version(conn, command.workspace, command.model, command.number)

    @use_case(
        "DELETE /workspaces/{workspace}/models/{model}/versions/{number}",
        permission="models.manage",
        cli="models delete-version",
        on="model",
        status=204,
    )
    def delete_version(self, who: Principal, command: OneVersion) -> None:
        """Delete a version; refused while an alias points to it."""
        with self._database.change(who, command.workspace) as change:
            version = need_version(change.conn, command.workspace, command.model, command.number)
            if version.aliases:
                raise Conflict(
                    f"version {version.number} has the alias {version.aliases[0]!r}",
                    value=list(version.aliases),
                    hint="move the alias to another version first",
                )
            retire_version(change, version)
            change.audit("models.version.delete", object_=version.subject, detail={"digest": version.digest})
            change.event(VERSION_DELETED, subject=version.subject)

    @use_case(
        "GET /workspaces/{workspace}/models/{model}/compare",
        permission="models.read",
        cli="models compare",
        on="model",
    )
    def compare_versions(self, who: Principal, command: CompareVersions) -> VersionComparison:
        """Compare two versions: metrics side by side, and what differs in data, recipe, parameters and signature."""
        del who
        with self._database.read() as conn:
            first = need_version(conn, command.workspace, command.model, command.first)
            second = need_version(conn, command.workspace, command.model, command.second)
        names = sorted({*first.metrics, *second.metrics})
        return VersionComparison(
            first=first,
            second=second,
            metrics={name: (first.metrics.get(name), second.metrics.get(name)) for name in names},
            differences=_differences(first, second),
        )

    def version(self, workspace: str, model: str, number: int) -> ModelVersion:
        """Return a version, for rooms that checked the right themselves."""
        with self._database.read() as conn:
            return need_version(conn, workspace, model, number)

    def aliased(self, workspace: str, model: str, alias: str) -> ModelVersion | None:
        """Return the version that an alias points to, or None; for rooms that checked the right themselves."""
        with self._database.read() as conn:
            found = find_alias(conn, workspace, model, alias)
            return None if found is None else need_version(conn, workspace, model, found.number)

    def manifest(self, version: ModelVersion) -> Manifest:
        """Return what the package of a version says of itself, for rooms and pages that checked the right."""
        return self._packages.manifest(version.digest)

    def package_manifest(self, digest: str) -> Manifest:
        """Return what a kept package says of itself, registered or not."""
        return self._packages.manifest(digest)

    def materialise(self, version: ModelVersion) -> Path:
        """Return a folder with the verified package of a version, whatever its review says."""
        return self._packages.folder(version.digest)

    def lost_packages(self) -> tuple[int, list[tuple[str, str]]]:
        """Return how many packages were looked at, and each file that one lacks, with the package's digest."""
        with self._database.read() as conn:
            known = digests(conn)
        return len(known), [(digest, name) for digest in known for name in self._packages.missing(digest)]

    def package_folder(self, digest: str) -> Path:
        """Return a folder with a kept package by its digest, registered or not."""
        return self._packages.folder(digest)

    def servable(self, workspace: str, model: str, reference: str | int) -> tuple[ModelVersion, Path]:
        """Return an approved version, by number or alias, and its folder.

        Raises
        ------
        NotApproved
            The review of the version has not approved it.
        """
        with self._database.read() as conn:
            version = self._referenced(conn, workspace, model, reference)
        if version.review != "APPROVED":
            raise NotApproved(
                f"version {version.number} of model {model!r} is not approved: its review is {version.review or 'missing'}",
                field="version",
                value=version.number,
                hint=f"aimass models review {version.number} --model {model}",
            )
        return version, self._packages.folder(version.digest)

    def _referenced(self, conn: Any, workspace: str, model: str, reference: str | int) -> ModelVersion:
        number = reference if isinstance(reference, int) else whole(reference)
        if number is not None:
            return need_version(conn, workspace, model, number)
        need_model(conn, workspace, model)
        return need_version(conn, workspace, model, need_alias(conn, workspace, model, str(reference)).number)


def _same(known: ModelVersion, wish: Registration) -> ModelVersion:
    if known.digest != wish.digest:
        raise Conflict(
            f"the key {wish.key!r} belongs to version {known.number}",
            field="key",
            value=wish.key,
            hint="use another key",
        )
    return known


def _row(change: Change, wish: Registration, number: int, manifest: Manifest) -> Mapping[str, Any]:
    return {
        "id": new_id(),
        "workspace": wish.workspace,
        "model": wish.model,
        "number": number,
        "key": wish.key,
        "state": "READY",
        "review": None,
        "description": wish.description,
        "digest": wish.digest,
        "runtime": manifest.runtime,
        "size": sum(file.size for file in manifest.files.values()),
        "signature": asdict(manifest.signature),
        "why_python": manifest.why_python,
        "origin": wish.origin,
        "source": wish.source,
        "facts": asdict(wish.facts),
        "metrics": dict(wish.metrics),
        "author": change.who.id,
        "author_name": change.who.name,
        "created_at": change.now,
        "deleted_at": None,
        "version": 1,
    }


def _differences(first: ModelVersion, second: ModelVersion) -> tuple[Difference, ...]:
    pairs: dict[str, tuple[Any, Any]] = {
        "runtime": (first.runtime, second.runtime),
        "size": (first.size, second.size),
        "inputs": (_inputs(first), _inputs(second)),
        "classes": (list(first.signature.classes), list(second.signature.classes)),
    }
    for name in ("recipe", "dataset", "dataset_version", "target", "seed"):
        pairs[name] = (getattr(first.facts, name), getattr(second.facts, name))
    for name in sorted({*first.facts.params, *second.facts.params}):
        pairs[f"params.{name}"] = (first.facts.params.get(name), second.facts.params.get(name))
    return tuple(Difference(what=name, first=a, second=b) for name, (a, b) in pairs.items() if a != b)


def _inputs(version: ModelVersion) -> dict[str, Any]:
    return {column.name: asdict(column) for column in version.signature.inputs}
