"""Traffic: weights, shadow and fallback, promotion and roll-back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.models import read_package
from aimass.serving.domain.commands import Promote, RollBack, SetTraffic
from aimass.serving.domain.policy import (
    PLAIN,
    check_after,
    check_percent,
    check_split,
    check_static,
    check_troubles,
    told_policy,
)
from aimass.serving.domain.rules import check_weights
from aimass.serving.domain.things import WHOLE, Endpoint, TrafficCause
from aimass.serving.errors import NothingBefore, NotServing
from aimass.serving.events import ROLLED_BACK, subject_of
from aimass.serving.service.deployments import Deployments
from aimass.serving.service.ground import Why, need_deployment, need_endpoint, target_of
from aimass.serving.store import queries


class Traffic(Deployments):
    """Use cases of traffic."""

    @use_case(
        "PUT /workspaces/{workspace}/endpoints/{endpoint}/traffic",
        permission="serving.edit",
        on="endpoint",
        cli="services traffic",
    )
    def set_traffic(self, who: Principal, command: SetTraffic) -> Endpoint:
        """Share the traffic of an endpoint among its deployments."""
        with self._database.change(who, command.workspace) as change:
            endpoint = need_endpoint(change.conn, command.workspace, command.endpoint, command.expected_version)
            rows = queries.live_deployments(change.conn, [endpoint.id])
            weights = check_weights(command.weights, [row.name for row in rows])
            beside = {
                "shadow": _beside(command.shadow, endpoint.shadow),
                "fallback": _beside(command.fallback, endpoint.fallback),
            }
            _check_roles(rows, weights, beside)
            policy = self._policy(change, endpoint, rows, command)
            queries.put_endpoint(change, endpoint.id, policy=policy, **beside)
            self._share(change, endpoint, weights, "traffic", command.reason)
            detail = {"weights": weights, **told_policy(policy, **beside), "reason": command.reason}
            change.audit("serving.traffic", object_=subject_of(endpoint.slug), detail=detail)
        return self._told(command.workspace, command.endpoint)

    def _policy(
        self, change: Change, endpoint: Row[Any], rows: Sequence[Row[Any]], command: SetTraffic
    ) -> dict[str, Any]:
        """Return the policy of an endpoint with what a command says anew."""
        policy = {**PLAIN, **endpoint.policy}
        if command.split is not None or command.split_by is not None:
            split = command.split or policy["split"]
            policy["split"], policy["split_by"] = check_split(split, command.split_by or "")
        if command.shadow_percent is not None:
            policy["shadow_percent"] = check_percent(command.shadow_percent)
        if command.fallback_on is not None:
            policy["fallback_on"] = check_troubles(command.fallback_on)
        if command.fallback_after_s is not None:
            policy["fallback_after_s"] = check_after(command.fallback_after_s)
        if command.static is not None:
            policy["static"] = self._typed(change, endpoint, rows, command.static) if command.static else None
        return policy

    def _typed(
        self, change: Change, endpoint: Row[Any], rows: Sequence[Row[Any]], static: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Return a static answer typed by what the main deployment runs."""
        main = need_deployment(rows, endpoint, endpoint.main)
        revision = queries.revisions_by_id(change.conn, [main.target])[main.target]
        package = read_package(self._library.lay_out(target_of(revision)))
        return check_static(static, package.manifest.signature.outputs)

    def apply_weights(
        self, who: Principal, workspace: str, endpoint: str, weights: Mapping[str, int], reason: str = ""
    ) -> Endpoint:
        """Share the traffic on behalf of somebody whose right was checked by the room that decides; idempotent."""
        present = self._shown(workspace, endpoint)
        wanted = check_weights(weights, [one.name for one in present.deployments])
        if wanted == dict(present.traffic.weights):
            return present
        with self._database.change(who, workspace) as change:
            row = need_endpoint(change.conn, workspace, endpoint)
            rows = queries.live_deployments(change.conn, [row.id])
            weights = check_weights(weights, [one.name for one in rows])
            _check_roles(rows, weights, {"shadow": row.shadow, "fallback": row.fallback})
            self._share(change, row, weights, "traffic", reason)
            detail = {"weights": weights, "reason": reason}
            change.audit("serving.traffic", object_=subject_of(row.slug), detail=detail)
        return self._told(workspace, endpoint)

    @use_case(
        "POST /workspaces/{workspace}/endpoints/{endpoint}/promote",
        permission="serving.edit",
        on="endpoint",
        cli="services promote",
    )
    def promote(self, who: Principal, command: Promote) -> Endpoint:
        """Make what a canary runs the main deployment, with all the traffic; the canary is stopped.

        A canary that was promoted already changes nothing.

        Raises
        ------
        NotServing
            The canary does not answer.
        """
        with self._database.change(who, command.workspace) as change:
            endpoint = need_endpoint(change.conn, command.workspace, command.endpoint)
            rows = queries.live_deployments(change.conn, [endpoint.id])
            canary = need_deployment(rows, endpoint, command.deployment)
            if canary.name == endpoint.main:
                raise Conflict(f"{canary.name!r} is the main deployment already", field="deployment", value=canary.name)
            main = need_deployment(rows, endpoint, endpoint.main)
            kept = queries.revisions_by_id(change.conn, [canary.target, main.target])
            new, old = kept[canary.target], kept[main.target]
            if new.version_id == old.version_id and main.is_wanted and not canary.is_wanted:
                return self._read(change.conn, command.workspace, command.endpoint)
            if canary.serving != canary.target:
                raise NotServing(f"{canary.name!r} does not answer", value=canary.name, hint="wait until it is READY")
            self._withdraw(change, endpoint, canary, ("promote", command.reason))
            if new.version_id != old.version_id or not main.is_wanted:
                why = Why(cause="promote", reason=command.reason, alias=main.alias, restores=new.number)
                self._bring(change, endpoint, (main, new), why)
            detail = {"deployment": canary.name, "reason": command.reason}
            change.audit("serving.promote", object_=subject_of(endpoint.slug), detail=detail)
        return self._told(command.workspace, command.endpoint)

    @use_case(
        "POST /workspaces/{workspace}/endpoints/{endpoint}/rollback",
        permission="serving.edit",
        on="endpoint",
        cli="services rollback",
    )
    def roll_back(self, who: Principal, command: RollBack) -> Endpoint:
        """Bring back what ran before: take a canary out, or return to the revision before the present one.

        A canary that was taken out already changes nothing.

        Raises
        ------
        NothingBefore
            There is no earlier revision that answered.
        """
        with self._database.change(who, command.workspace) as change:
            endpoint = need_endpoint(change.conn, command.workspace, command.endpoint)
            rows = queries.live_deployments(change.conn, [endpoint.id])
            canary = _canary(endpoint, rows, command)
            if canary is None:
                facts = self._restore(change, endpoint, rows, command)
            elif not canary.is_wanted and not canary.weight:
                return self._read(change.conn, command.workspace, command.endpoint)
            else:
                _need_main(endpoint, rows)
                self._withdraw(change, endpoint, canary, ("rollback", command.reason))
                facts = {"deployment": canary.name, "withdrawn": True}
            detail = {**facts, "reason": command.reason}
            change.audit("serving.rollback", object_=subject_of(endpoint.slug), detail=detail)
            change.event(ROLLED_BACK, subject=subject_of(endpoint.slug), data={**facts, "endpoint": endpoint.slug})
        return self._told(command.workspace, command.endpoint)

    def _restore(
        self, change: Change, endpoint: Row[Any], rows: Sequence[Row[Any]], command: RollBack
    ) -> dict[str, Any]:
        """Give a deployment an earlier revision again."""
        if not rows:
            raise NothingBefore(f"nothing was deployed on {endpoint.slug!r}", value=endpoint.slug)
        old = None
        name = command.deployment or endpoint.main
        if command.revision is not None:
            old = _need_revision(queries.find_revision(change.conn, endpoint.id, command.revision), command)
            name = command.deployment or old.name
        row = need_deployment(rows, endpoint, name)
        present = queries.revisions_by_id(change.conn, [row.target])[row.target]
        old = old if old is not None else _previous(change, row, present)
        why = Why(cause="rollback", reason=command.reason, alias=row.alias, restores=old.number)
        self._bring(change, endpoint, (row, old), why)
        return {
            "deployment": row.name,
            "from": present.number,
            "to": old.number,
            "model": old.model,
            "version": old.model_version,
        }

    def _bring(self, change: Change, endpoint: Row[Any], pair: tuple[Row[Any], Row[Any]], why: Why) -> None:
        """Make a new revision of a deployment that runs what an earlier revision ran."""
        row, old = pair
        revision = self._revise(change, endpoint, (row.id, row.name), target_of(old), why)
        values = {"target": revision, "is_wanted": True, "state": "PENDING", "reason": "", "model": old.model}
        if row.alias is None:
            values["model_version"] = old.model_version
        queries.put_deployment(change, row.id, **values)

    def _withdraw(self, change: Change, endpoint: Row[Any], canary: Row[Any], why: tuple[TrafficCause, str]) -> None:
        """Stop a deployment and give all traffic to the main one."""
        self._stop(change, endpoint, canary)
        rows = queries.live_deployments(change.conn, [endpoint.id])
        weights = {row.name: WHOLE if row.name == endpoint.main else 0 for row in rows}
        self._share(change, endpoint, weights, why[0], why[1])


def _canary(endpoint: Row[Any], rows: Sequence[Row[Any]], command: RollBack) -> Row[Any] | None:
    """Return the deployment that a roll-back takes out: the one that is named, or one beside main with traffic."""
    if command.revision is not None or command.deployment == endpoint.main:
        return None
    if command.deployment is not None:
        return need_deployment(rows, endpoint, command.deployment)
    return next((row for row in rows if row.weight and row.name != endpoint.main), None)


def _need_main(endpoint: Row[Any], rows: Sequence[Row[Any]]) -> None:
    """Refuse to give all traffic to a main deployment that does not run."""
    main = need_deployment(rows, endpoint, endpoint.main)
    if not main.is_wanted:
        raise Conflict(f"the main deployment {main.name!r} is stopped", value=main.name, hint="start it first")


def _beside(given: str | None, present: str | None) -> str | None:
    return present if given is None else given or None


def _check_roles(rows: Sequence[Row[Any]], weights: Mapping[str, int], beside: Mapping[str, str | None]) -> None:
    """Refuse traffic for what is stopped, and a shadow that answers somebody."""
    by_name = {row.name: row for row in rows}
    for name, weight in weights.items():
        if weight and not by_name[name].is_wanted:
            raise Conflict(f"deployment {name!r} is stopped", field="weights", value=name, hint="start it first")
    for role, name in beside.items():
        if name is not None and name not in by_name:
            raise Invalid(f"there is no deployment {name!r}", field=role, value=name, allowed=sorted(by_name))
    shadow = beside["shadow"]
    if shadow is not None and weights[shadow]:
        raise Invalid(
            f"the shadow {shadow!r} has a weight of {weights[shadow]}",
            field="shadow",
            value=shadow,
            hint="a shadow answers nobody: give it the weight 0",
        )


def _need_revision(row: Row[Any] | None, command: RollBack) -> Row[Any]:
    if row is None or (command.deployment is not None and row.name != command.deployment):
        raise NotFound(
            f"there is no revision {command.revision} of {command.deployment or command.endpoint!r}",
            field="revision",
            value=command.revision,
            hint=f"list them with 'aimass services revisions {command.endpoint}'",
        )
    if row.ready_at is None:
        raise Conflict(
            f"revision {row.number} never answered: {row.error or 'it was replaced before'}",
            field="revision",
            value=row.number,
            hint="choose one that did",
        )
    return row


def _previous(change: Change, row: Row[Any], present: Row[Any]) -> Row[Any]:
    """Return what ran before; a second roll-back goes further back instead of forth."""
    if row.serving is not None and row.serving != row.target:
        return queries.revisions_by_id(change.conn, [row.serving])[row.serving]
    start = present.restores if present.cause == "rollback" and present.restores is not None else present.number
    old = queries.before(change.conn, row.id, start, present.digest)
    if old is None:
        raise NothingBefore(
            f"deployment {row.name!r} ran nothing before revision {start}", value=start, hint="deploy a version instead"
        )
    return old
