"""Deployments: put a model version on an endpoint, stop, start and remove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Row

from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.serving.domain.commands import CreateEndpoint, Deploy, DeployModel, OneDeployment, OneEndpoint
from aimass.serving.domain.placing import Options, changed, flat, is_rebuilt, options_of
from aimass.serving.domain.rules import with_weight
from aimass.serving.domain.things import WHOLE, Deployment, Endpoint, Placement, Resources
from aimass.serving.errors import HasTraffic
from aimass.serving.events import DEPLOYMENT_REMOVED, DEPLOYMENT_STOPPED, subject_of
from aimass.serving.library import Target
from aimass.serving.service.endpoints import Endpoints
from aimass.serving.service.fitting import check_fit, check_sandbox
from aimass.serving.service.ground import Why, need_deployment, need_endpoint, target_of
from aimass.serving.store import queries, tables

DEFAULT_ALIAS = "champion"
DEFAULT_NAME = "champion"
_SETTINGS = frozenset(
    {"alias", "model_version", "weight", "placement", "resources", "execution", "max_rows", "isolation"}
    | {"network", "pinned", "device", "replicas"}
)


class Deployments(Endpoints):
    """Use cases of deployments."""

    @use_case(
        "POST /workspaces/{workspace}/endpoints/{endpoint}/deployments",
        permission="serving.edit",
        on="endpoint",
        cli="services deploy",
        progress="serving.get_endpoint",
    )
    def deploy(self, who: Principal, command: Deploy) -> Endpoint:
        """Deploy a model on an endpoint; the same again changes nothing.

        What ran before goes on answering until the new revision is loaded by every gateway worker, and stays when it
        cannot start.

        Raises
        ------
        NotFound
            There is no such endpoint, model, alias or version.
        Conflict
            The version is not approved.
        """
        target, alias = self._target(command)
        with self._database.change(who, command.workspace) as change:
            self._deploy(change, command, target, alias)
        return self._told(command.workspace, command.endpoint)

    @use_case(
        "POST /workspaces/{workspace}/models/{model}/deploy",
        permission="serving.edit",
        cli="deploy",
        progress="serving.get_endpoint",
    )
    def deploy_model(self, who: Principal, command: DeployModel) -> Endpoint:
        """Serve a model on the endpoint of its name, which is made when it is missing."""
        slug = command.endpoint or command.model
        deploy = Deploy(
            workspace=command.workspace,
            endpoint=slug,
            model=command.model,
            alias=command.alias,
            model_version=command.model_version,
            reason=command.reason,
        )
        target, alias = self._target(deploy)
        with self._database.change(who, command.workspace) as change:
            if queries.find_endpoint(change.conn, command.workspace, slug) is None:
                self.add_endpoint(change, CreateEndpoint(workspace=command.workspace, name=slug))
            self._deploy(change, deploy, target, alias)
        return self._told(command.workspace, slug)

    def _target(self, command: Deploy) -> tuple[Target, str | None]:
        if command.alias is not None and command.model_version is not None:
            raise Invalid(
                "an alias and a version were given", field="alias", value=command.alias, hint="give one of them"
            )
        alias = None if command.model_version is not None else command.alias or DEFAULT_ALIAS
        wanted = alias if alias is not None else command.model_version or 1
        target = self._library.find(command.workspace, command.model, wanted)
        check_sandbox(command.isolation, is_required=self._ground.settings.sandbox == "require")
        return target, alias

    def _deploy(self, change: Change, command: Deploy, target: Target, alias: str | None) -> None:
        endpoint = need_endpoint(change.conn, command.workspace, command.endpoint)
        rows = queries.live_deployments(change.conn, [endpoint.id])
        name = check_slug(command.name or endpoint.main or DEFAULT_NAME, field="name")
        row = next((row for row in rows if row.name == name), None)
        resources = asdict(command.resources or (Resources(**row.resources) if row is not None else Resources()))
        wish = {"model": target.model, "alias": alias, "model_version": command.model_version}
        wish |= {"alias_seen": target.number if alias else None, "resources": resources}
        placement, options = _placing(command, row)
        most = self._ground.reports.seen().max_model_bytes()
        check_fit(placement, options, target, is_inline=self._library.is_inline(target), most=most)
        wish |= {"placement": placement, "options": asdict(options)}
        is_same = row is not None and self._is_same(change, row, target, wish)
        id_ = row.id if row is not None else self._add(change, endpoint, name, wish)
        self._weigh(change, endpoint, name, command.weight, command.reason)
        if endpoint.main is None:
            queries.put_endpoint(change, endpoint.id, main=name)
        queries.put_deployment(change, id_, **wish)
        if not is_same:
            why = Why(cause="deploy", reason=command.reason, alias=alias)
            revision = self._revise(change, endpoint, (id_, name), target, why)
            queries.put_deployment(change, id_, **_begin(revision))
        detail = {"deployment": name, "model": target.model, "version": target.number, "reason": command.reason}
        detail |= _detail(command, row, wish)
        change.audit("serving.deploy", object_=subject_of(endpoint.slug), detail=detail)

    def _is_same(self, change: Change, row: Row[Any], target: Target, wish: dict[str, Any]) -> bool:
        """Tell whether a deployment runs, or is about to run, just what is wanted."""
        revision = queries.revisions_by_id(change.conn, [row.target])[row.target]
        present = {
            "placement": row.placement,
            "resources": asdict(Resources(**row.resources)),
        }
        is_placed = all(present[part] == wish[part] for part in present)
        is_placed = is_placed and not is_rebuilt(options_of(row.options), options_of(wish["options"]))
        is_well = row.is_wanted and revision.state != "FAILED"
        return is_placed and is_well and revision.version_id == target.id and revision.digest == target.digest

    def _add(self, change: Change, endpoint: Row[Any], name: str, wish: dict[str, Any]) -> str:
        id_ = new_id()
        values = {
            "id": id_,
            "workspace": endpoint.workspace,
            "endpoint": endpoint.id,
            "name": name,
            "weight": 0,
            **wish,
        }
        values |= {"is_wanted": True, "target": "", "serving": None, "state": "PENDING", "reason": ""}
        values |= {"created_at": change.now, "changed_at": change.now, "deleted_at": None, "version": 1}
        queries.add(change, tables.deployments, values)
        return id_

    def _weigh(self, change: Change, endpoint: Row[Any], name: str, weight: int | None, reason: str) -> None:
        """Give a deployment its share; the only one gets everything."""
        rows = [
            row for row in queries.live_deployments(change.conn, [endpoint.id]) if row.is_wanted or row.name == name
        ]
        weights = {row.name: row.weight for row in rows}
        if len(rows) == 1:
            if weight not in (None, WHOLE):
                raise Invalid(
                    "the only deployment gets all traffic",
                    field="weight",
                    value=weight,
                    allowed=WHOLE,
                    hint="leave it away",
                )
            weight = WHOLE
        if weight is None or weights[name] == weight:
            return
        self._share(change, endpoint, with_weight(weights, name, weight), "deploy", reason)

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/deployments",
        permission="serving.read",
        on="endpoint",
        cli="services deployments",
    )
    def list_deployments(self, who: Principal, command: OneEndpoint) -> list[Deployment]:
        """List the deployments of an endpoint, the oldest first."""
        del who
        return self._shown(command.workspace, command.endpoint).deployments

    @use_case(
        "POST /workspaces/{workspace}/endpoints/{endpoint}/deployments/{deployment}/stop",
        permission="serving.edit",
        on="endpoint",
        cli="services stop",
    )
    def stop_deployment(self, who: Principal, command: OneDeployment) -> Endpoint:
        """Stop a deployment; its share of the traffic goes to those that run."""
        with self._database.change(who, command.workspace) as change:
            endpoint = need_endpoint(change.conn, command.workspace, command.endpoint)
            rows = queries.live_deployments(change.conn, [endpoint.id])
            row = need_deployment(rows, endpoint, command.deployment)
            self._stop(change, endpoint, row)
            running = {one.name: one.weight for one in rows if one.is_wanted or one.id == row.id}
            if row.weight and len(running) > 1:
                weights = with_weight(running, row.name, 0)
                self._share(change, endpoint, weights, "stop", command.reason)
            detail = {"deployment": row.name, "reason": command.reason}
            change.audit("serving.stop", object_=subject_of(endpoint.slug), detail=detail)
        return self._told(command.workspace, command.endpoint)

    def _stop(self, change: Change, endpoint: Row[Any], row: Row[Any]) -> None:
        """Take a deployment out of service; its target starts from the beginning when it is wanted again."""
        if row.serving is not None:
            queries.put_revision(change, row.serving, state="RETIRED", retired_at=change.now)
        queries.put_deployment(change, row.id, is_wanted=False, serving=None, state="STOPPED", reason="")
        facts = {"endpoint": endpoint.slug, "deployment": row.name}
        change.event(DEPLOYMENT_STOPPED, subject=subject_of(endpoint.slug), data=facts)

    @use_case(
        "POST /workspaces/{workspace}/endpoints/{endpoint}/deployments/{deployment}/start",
        permission="serving.edit",
        on="endpoint",
        cli="services start",
    )
    def start_deployment(self, who: Principal, command: OneDeployment) -> Endpoint:
        """Start a stopped deployment, or try again to start one that failed."""
        moved = self._moved(command)
        with self._database.change(who, command.workspace) as change:
            endpoint = need_endpoint(change.conn, command.workspace, command.endpoint)
            row = need_deployment(queries.live_deployments(change.conn, [endpoint.id]), endpoint, command.deployment)
            old = queries.revisions_by_id(change.conn, [row.target])[row.target]
            if not row.is_wanted or old.state == "FAILED":
                target = moved or target_of(old)
                why = Why(cause="start", reason=command.reason, alias=old.alias)
                revision = self._revise(change, endpoint, (row.id, row.name), target, why)
                seen = {"alias_seen": moved.number} if moved is not None else {}
                queries.put_deployment(change, row.id, **_begin(revision), **seen)
                detail = {"deployment": row.name, "version": target.number, "reason": command.reason}
                change.audit("serving.start", object_=subject_of(endpoint.slug), detail=detail)
        return self._told(command.workspace, command.endpoint)

    def _moved(self, command: OneDeployment) -> Target | None:
        """Return what the alias of a deployment means now, when it moved while the deployment was stopped."""
        with self._database.read() as conn:
            endpoint = need_endpoint(conn, command.workspace, command.endpoint)
            row = need_deployment(queries.live_deployments(conn, [endpoint.id]), endpoint, command.deployment)
        if row.alias is None or row.is_wanted:
            return None
        target = self._library.find(command.workspace, row.model, row.alias)
        return target if target.number != row.alias_seen else None

    @use_case(
        "DELETE /workspaces/{workspace}/endpoints/{endpoint}/deployments/{deployment}",
        permission="serving.edit",
        on="endpoint",
        cli="services undeploy",
    )
    def remove_deployment(self, who: Principal, command: OneDeployment) -> None:
        """Remove a deployment that gets no traffic; its revisions stay in the history.

        Raises
        ------
        HasTraffic
            It still gets traffic while another deployment could have it.
        Conflict
            It is the main deployment and others depend on it.
        """
        with self._database.change(who, command.workspace) as change:
            endpoint = need_endpoint(change.conn, command.workspace, command.endpoint)
            rows = queries.live_deployments(change.conn, [endpoint.id])
            row = need_deployment(rows, endpoint, command.deployment)
            _check_removable(endpoint, rows, row)
            self._stop(change, endpoint, row)
            queries.put_deployment(change, row.id, deleted_at=change.now)
            beside = {role: None for role in ("shadow", "fallback") if getattr(endpoint, role) == row.name}
            beside |= {"main": None} if endpoint.main == row.name else {}
            queries.put_endpoint(change, endpoint.id, **beside)
            detail = {"deployment": row.name, "reason": command.reason}
            change.audit("serving.remove", object_=subject_of(endpoint.slug), detail=detail)
            facts = {"endpoint": endpoint.slug, "deployment": row.name}
            change.event(DEPLOYMENT_REMOVED, subject=subject_of(endpoint.slug), data=facts)
        self._told(command.workspace, command.endpoint)


def _begin(revision: str) -> dict[str, Any]:
    """Return what makes a deployment start a revision."""
    return {"target": revision, "is_wanted": True, "state": "PENDING", "reason": ""}


def _placing(command: Deploy, row: Row[Any] | None) -> tuple[Placement, Options]:
    """Return where a deployment runs and its options: what the command names, over what there is."""
    present = options_of(row.options) if row is not None else Options()
    options = replace(
        present,
        execution=command.execution or present.execution,
        max_rows=present.max_rows if command.max_rows is None else command.max_rows or None,
        isolation=command.isolation or present.isolation,
        network=present.network if command.network is None else command.network,
        pinned=present.pinned if command.pinned is None else command.pinned,
        device=command.device or present.device,
        replicas=command.replicas or present.replicas,
    )
    return command.placement or (row.placement if row is not None else "auto"), options


def _detail(command: Deploy, row: Row[Any] | None, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Return for the audit which settings were asked for, and which of them changed."""
    named = {name: value for name, value in asdict(command).items() if name in _SETTINGS and value is not None}
    told: dict[str, Any] = {"asked": flat(named)}
    if row is not None:
        before = {"placement": row.placement, "resources": asdict(Resources(**row.resources)), "alias": row.alias}
        before |= {"model": row.model, "model_version": row.model_version, "options": asdict(options_of(row.options))}
        told["changed"] = changed(_settings(before), _settings(wish))
    return told


def _settings(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a deployment as the settings of which people speak."""
    wanted = {name: kept[name] for name in ("model", "alias", "model_version", "placement", "resources")}
    return wanted | dict(kept["options"])


def _check_removable(endpoint: Row[Any], rows: Sequence[Row[Any]], row: Row[Any]) -> None:
    if len(rows) == 1:
        return
    if row.weight:
        raise HasTraffic(
            f"deployment {row.name!r} gets {row.weight} % of the traffic",
            value=row.name,
            hint=f"aimass services traffic {endpoint.slug} --weights ... or stop it first",
        )
    if endpoint.main == row.name:
        raise Conflict(
            f"{row.name!r} is the main deployment of {endpoint.slug!r}",
            value=row.name,
            hint="promote another one first",
        )
