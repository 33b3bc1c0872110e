"""Models: create, list, change, delete."""

from __future__ import annotations

from typing import Any

from aimass.infra.database import Change
from aimass.kernel.errors import Conflict
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug, clean_name, slug_of
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.models.domain import ChangeModel, CreateModel, ListModels, Model, OneModel
from aimass.models.events import CHANGED, CREATED, DELETED
from aimass.models.service.ground import Part, need_fresh, need_model
from aimass.models.store import add_model, find_model, models_page, put_model, retire_model


class Library(Part):
    """The names under which versions are kept."""

    @use_case("POST /workspaces/{workspace}/models", permission="models.edit", cli="models create", status=201)
    def create_model(self, who: Principal, command: CreateModel) -> Model:
        """Create a model without versions."""
        name = clean_name(command.name)
        slug = check_slug(command.slug or slug_of(name))
        with self._database.change(who, command.workspace) as change:
            if find_model(change.conn, command.workspace, slug):
                raise Conflict(f"the slug {slug!r} is taken", field="slug", value=slug, hint="choose another slug")
            return new_model(change, slug, name, command.description)

    @use_case("GET /workspaces/{workspace}/models", permission="models.read", cli="models list")
    def list_models(self, who: Principal, command: ListModels) -> Page[Model]:
        """List models, newest first."""
        del who
        with self._database.read() as conn:
            return page_of(models_page(conn, command), command.limit, lambda model: model.id)

    @use_case("GET /workspaces/{workspace}/models/{model}", permission="models.read", cli="models show", on="model")
    def get_model(self, who: Principal, command: OneModel) -> Model:
        """Show a model with its newest version and its aliases."""
        del who
        with self._database.read() as conn:
            return need_model(conn, command.workspace, command.model)

    @use_case("PATCH /workspaces/{workspace}/models/{model}", permission="models.edit", cli="models change", on="model")
    def change_model(self, who: Principal, command: ChangeModel) -> Model:
        """Change name or description of a model."""
        with self._database.change(who, command.workspace) as change:
            model = need_model(change.conn, command.workspace, command.model)
            need_fresh(model.version, command.expected_version)
            values: dict[str, Any] = {"name": command.name and clean_name(command.name)}
            values = {k: v for k, v in {**values, "description": command.description}.items() if v is not None}
            put_model(change, command.workspace, command.model, **values)
            change.audit("models.model.change", object_=f"model:{model.slug}", detail={"fields": sorted(values)})
            change.event(CHANGED, subject=f"model:{model.slug}")
            return need_model(change.conn, command.workspace, command.model)

    @use_case(
        "DELETE /workspaces/{workspace}/models/{model}",
        permission="models.manage",
        cli="models delete",
        on="model",
        status=204,
    )
    def delete_model(self, who: Principal, command: OneModel) -> None:
        """Delete a model with all versions; refused while an alias points to one."""
        with self._database.change(who, command.workspace) as change:
            model = need_model(change.conn, command.workspace, command.model)
            if model.aliases:
                raise Conflict(
                    f"model {model.slug!r} has the alias {min(model.aliases)!r}",
                    value=sorted(model.aliases),
                    hint="remove its aliases first; nothing may serve it any more",
                )
            retire_model(change, model)
            change.audit("models.model.delete", object_=f"model:{model.slug}")
            change.event(DELETED, subject=f"model:{model.slug}")


def new_model(change: Change, slug: str, name: str, description: str) -> Model:
    """Write a new model."""
    values: dict[str, Any] = {
        "id": new_id(),
        "workspace": change.workspace,
        "slug": slug,
        "name": name,
        "description": description,
        "next_number": 1,
        "created_by": change.who.id,
        "created_at": change.now,
        "deleted_at": None,
        "version": 1,
    }
    add_model(change, values)
    change.audit("models.model.create", object_=f"model:{slug}")
    change.event(CREATED, subject=f"model:{slug}")
    return need_model(change.conn, change.workspace, slug)
