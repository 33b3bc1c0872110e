"""Aliases: names for versions that may move."""

from __future__ import annotations

from aimass.kernel.names import check_slug
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.models.domain import Alias, ListAliases, OneAlias, SetAlias
from aimass.models.errors import NotApproved
from aimass.models.events import ALIAS_CHANGED
from aimass.models.service.ground import Part, need_alias, need_fresh, need_model, need_version
from aimass.models.store import aliases_in_use, aliases_of, find_alias, put_alias, remove_alias


class Aliases(Part):
    """``champion`` is what production means."""

    @use_case(
        "PUT /workspaces/{workspace}/models/{model}/aliases/{alias}",
        permission="models.edit",
        cli="models alias",
        on="model",
    )
    def set_alias(self, who: Principal, command: SetAlias) -> Alias:
        """Point an alias to an approved version."""
        check_slug(command.alias, field="alias")
        with self._database.change(who, command.workspace) as change:
            version = need_version(change.conn, command.workspace, command.model, command.number)
            if version.review != "APPROVED":
                raise NotApproved(
                    f"version {version.number} is not approved: its review is {version.review or 'missing'}",
                    field="number",
                    value=version.number,
                    hint=f"aimass models review {version.number} --model {version.model}",
                )
            known = find_alias(change.conn, command.workspace, command.model, command.alias)
            need_fresh(known.version if known else 0, command.expected_version)
            if known is not None and known.number == version.number:
                return known
            alias = Alias(
                workspace=command.workspace,
                model=command.model,
                alias=command.alias,
                number=command.number,
                previous=known.number if known else None,
                changed_by=who.name,
                changed_at=change.now,
                version=known.version + 1 if known else 1,
            )
            put_alias(change, alias)
            data = {"alias": alias.alias, "number": alias.number, "previous": alias.previous}
            change.audit("models.alias.set", object_=f"model:{command.model}", detail=data)
            change.event(ALIAS_CHANGED, subject=f"model:{command.model}", data={"model": command.model, **data})
            return alias

    @use_case(
        "DELETE /workspaces/{workspace}/models/{model}/aliases/{alias}",
        permission="models.edit",
        cli="models remove-alias",
        on="model",
        status=204,
    )
    def remove_alias(self, who: Principal, command: OneAlias) -> None:
        """Take an alias away."""
        with self._database.change(who, command.workspace) as change:
            alias = need_alias(change.conn, command.workspace, command.model, command.alias)
            remove_alias(change, command.workspace, command.model, command.alias)
            data = {"alias": command.alias, "number": None, "previous": alias.number}
            change.audit("models.alias.remove", object_=f"model:{command.model}", detail=data)
            change.event(ALIAS_CHANGED, subject=f"model:{command.model}", data={"model": command.model, **data})

    @use_case(
        "GET /workspaces/{workspace}/models/{model}/aliases/{alias}",
        permission="models.read",
        on="model",
    )
    def get_alias(self, who: Principal, command: OneAlias) -> Alias:
        """Show where an alias points, and where it pointed before."""
        del who
        with self._database.read() as conn:
            return need_alias(conn, command.workspace, command.model, command.alias)

    @use_case(
        "GET /workspaces/{workspace}/models/{model}/aliases", permission="models.read", cli="models aliases", on="model"
    )
    def list_aliases(self, who: Principal, command: ListAliases) -> list[Alias]:
        """List the aliases of a model."""
        del who
        with self._database.read() as conn:
            need_model(conn, command.workspace, command.model)
            return aliases_of(conn, command.workspace, command.model)

    def alias_names(self, workspace: str) -> list[str]:
        """Return every name of an alias in a workspace, for pages that checked the right."""
        with self._database.read() as conn:
            return aliases_in_use(conn, workspace)
