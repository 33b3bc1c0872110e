"""Bring versions out step by step: start, look, pause, resume, promote, roll back."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import insert

from aimass.infra.database import Change, Database
from aimass.infra.live import LiveHub
from aimass.kernel.clock import instant
from aimass.kernel.errors import AimassError, Conflict, Invalid, NotFound, Stale
from aimass.kernel.ids import new_id
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import use_case
from aimass.lifecycle.rollouts import (
    DECIDED,
    OPEN,
    Deed,
    Happening,
    ListRollouts,
    NameRollout,
    Rollout,
    StartRollout,
    check_steps,
)
from aimass.lifecycle.store import find_rollout, list_rollouts, open_rollout, put_rollout, rollout_by_key, rollouts
from aimass.models import Models, SetAlias
from aimass.serving import Deploy, Deployment, Endpoint, OneEndpoint, Promote, RollBack, Serving

CANARY = "canary"
_PATH = "/workspaces/{workspace}/rollouts"
_LIMITS = ("error_rate_margin", "latency_ratio", "latency_margin_s", "quality_margin")
_KEPT = 200


class Rollouts:
    """Use cases of rollouts."""

    _database: Database
    _registry: Registry

    @use_case(
        "POST /workspaces/{workspace}/endpoints/{endpoint}/rollouts",
        permission="lifecycle.use",
        on="endpoint",
        cli="rollouts start",
        status=201,
    )
    def start_rollout(self, who: Principal, command: StartRollout) -> Rollout:
        """Bring a version out on an endpoint: a canary whose share grows step by step while it does well.

        It is rolled back as soon as errors, latency or live quality are clearly worse than those of the main deployment,
        and promoted after the last step. The same key twice is one rollout.

        Raises
        ------
        Conflict
            A rollout is open on the endpoint, or the version runs there as the main deployment already.
        """
        who.need("serving.edit", command.workspace, f"endpoint:{command.endpoint}")
        known = self._by_key(command)
        if known is not None:
            return known
        steps = check_steps(command.steps)
        main = main_of(self.shown(command.workspace, command.endpoint))
        model = command.model or main.model
        number = self._number(command, model)
        if (model, number) == (main.model, main.served_version):
            raise Conflict(
                f"{model!r} version {number} is what {main.name!r} runs", field="model_version", value=number
            )
        id_ = self._begin_rollout(who, command, (model, number), steps, command.promote_alias or main.alias)
        started = self._rollout(command.workspace, id_)
        try:
            self.bring(started)
        except AimassError as refusal:
            self.settle(who, started, "FAILED", "failed", refusal.message)
            raise
        return started

    def bring(self, found: Rollout) -> None:
        """Deploy the version the way the main deployment is: one that runs otherwise could not be compared with it.

        The same again changes nothing.
        """
        main = main_of(self.shown(found.workspace, found.endpoint))
        options = {part.name: getattr(main.options, part.name) for part in fields(main.options)}
        options["max_rows"] = main.options.max_rows or 0
        wish = Deploy(
            workspace=found.workspace,
            endpoint=found.endpoint,
            model=found.model,
            model_version=found.model_version,
            name=found.deployment,
            weight=0,
            placement=main.placement,
            resources=main.resources,
            reason=found.reason or f"rollout {found.id}",
            **options,
        )
        self._registry.get(Serving).deploy(SYSTEM, wish)

    def _by_key(self, command: StartRollout) -> Rollout | None:
        with self._database.read() as conn:
            return rollout_by_key(conn, command.workspace, command.key) if command.key else None

    def _number(self, command: StartRollout, model: str) -> int:
        if (command.model_version is None) == (command.alias is None):
            raise Invalid(
                "name what is brought out", field="model_version", allowed="either 'model_version', or 'alias'"
            )
        if command.model_version is not None:
            return command.model_version
        found = self._registry.get(Models).aliased(command.workspace, model, str(command.alias))
        if found is None:
            raise NotFound(f"model {model!r} has no alias {command.alias!r}", field="alias", value=command.alias)
        return found.number

    def _begin_rollout(
        self, who: Principal, command: StartRollout, what: tuple[str, int], steps: list[int], alias: str | None
    ) -> str:
        id_ = new_id()
        with self._database.change(who, command.workspace) as change:
            busy = open_rollout(change.conn, command.workspace, command.endpoint)
            if busy is not None:
                raise Conflict(
                    f"rollout {busy.id} of version {busy.model_version} is open on {command.endpoint!r}",
                    field="endpoint",
                    value=command.endpoint,
                    hint="promote it or roll it back first",
                )
            values: dict[str, Any] = {name: getattr(command, name) for name in ("bake_s", "requests", "patience_s")}
            values |= {"id": id_, "workspace": command.workspace, "endpoint": command.endpoint, "deployment": CANARY}
            values |= {"key": command.key or id_, "model": what[0], "model_version": what[1], "state": "DEPLOYING"}
            values |= {"steps": steps, "step": -1, "weight": 0, "step_since": None, "fraction": 0.0, "verdict": ""}
            values |= {"limits": {name: getattr(command, name) for name in _LIMITS}, "promote_alias": alias}
            values |= {"verdict_facts": {}, "reason": command.reason, "history": [], "version": 1}
            values |= {"created_by": who.name, "created_at": change.now, "ended_at": None}
            change.execute(insert(rollouts).values(**values))
            self.note(change, self._found(change, command.workspace, id_), "started", command.reason)
        return id_

    @use_case(f"GET {_PATH}", permission="lifecycle.read", cli="rollouts list")
    def list_rollouts(self, who: Principal, command: ListRollouts) -> Page[Rollout]:
        """List rollouts, the newest first."""
        del who
        with self._database.read() as conn:
            return page_of(list_rollouts(conn, command), command.limit, lambda one: one.id)

    @use_case(f"GET {_PATH}/{{rollout}}", permission="lifecycle.read", cli="rollouts show")
    def get_rollout(self, who: Principal, command: NameRollout) -> Rollout:
        """Show a rollout: its steps, what the last look said, and what happened."""
        del who
        return self._rollout(command.workspace, command.rollout)

    @use_case(f"POST {_PATH}/{{rollout}}/pause", permission="lifecycle.use", cli="rollouts pause")
    def pause_rollout(self, who: Principal, command: NameRollout) -> Rollout:
        """Let a rollout stay at its step until it is resumed; nothing is promoted or rolled back meanwhile."""
        return self._turn(who, command, ("RUNNING",), "paused", state="PAUSED")

    @use_case(f"POST {_PATH}/{{rollout}}/resume", permission="lifecycle.use", cli="rollouts resume")
    def resume_rollout(self, who: Principal, command: NameRollout) -> Rollout:
        """Let a rollout go on; its step begins anew, with its own share of the traffic."""
        found = self._turn(who, command, ("PAUSED",), "resumed", state="RUNNING", step_since=self._database.clock.now())
        self.share(found, found.weight, command.reason or f"rollout {found.id} resumed")
        return found

    @use_case(f"POST {_PATH}/{{rollout}}/promote", permission="lifecycle.use", cli="rollouts promote")
    def promote_rollout(self, who: Principal, command: NameRollout) -> Rollout:
        """Make the version the main deployment now, whatever its steps say."""
        found = self._may(who, command, ("RUNNING", "PAUSED"))
        return self.carry_out(who, found, "promote", command.reason or f"promoted by {who.name}")

    @use_case(f"POST {_PATH}/{{rollout}}/rollback", permission="lifecycle.use", cli="rollouts rollback")
    def roll_back_rollout(self, who: Principal, command: NameRollout) -> Rollout:
        """Take the version out now; the main deployment gets all traffic."""
        found = self._may(who, command, OPEN)
        return self.carry_out(who, found, "roll back", command.reason or f"rolled back by {who.name}")

    # -- steps that people and the loop share

    def carry_out(self, who: Principal, found: Rollout, deed: Deed, reason: str) -> Rollout:
        """Note what was decided, then end the rollout so; after a crash in between the loop goes on from the note."""
        facts = {**found.verdict_facts, DECIDED: deed}
        noted = self.put(SYSTEM, found, None, "", verdict_facts=facts, verdict=reason)
        try:
            return self.end(who, noted)
        except Stale:
            raise
        except AimassError as refusal:
            self.put(SYSTEM, noted, None, "", verdict_facts=found.verdict_facts, verdict=refusal.message)
            raise

    def end(self, who: Principal, found: Rollout) -> Rollout:
        """Promote the version or take it out, as was decided; what was done before a crash is found done."""
        serving, reason = self._registry.get(Serving), found.verdict
        place: dict[str, Any] = {"workspace": found.workspace, "endpoint": found.endpoint}
        place["deployment"] = found.deployment
        if found.verdict_facts[DECIDED] == "roll back":
            serving.roll_back(SYSTEM, RollBack(**place, reason=reason))
            return self.settle(who, found, "ROLLED_BACK", "rolled_back", reason)
        serving.promote(SYSTEM, Promote(**place, reason=reason))
        if found.promote_alias:
            self._move_alias(found)
        return self.settle(who, found, "PROMOTED", "promoted", reason)

    def settle(self, who: Principal, found: Rollout, state: str, what: Happening, reason: str) -> Rollout:
        """End a rollout."""
        return self.put(who, found, what, reason, state=state, ended_at=self._database.clock.now(), verdict=reason)

    def put(self, who: Principal, found: Rollout, what: Happening | None, reason: str, **values: Any) -> Rollout:
        """Write a change of a rollout that was read in this version."""
        with self._database.change(who, found.workspace) as change:
            if not put_rollout(change, found.id, found.version, **values):
                raise Stale(f"rollout {found.id} changed meanwhile", value=found.version, hint="read it again")
            if what is not None:
                self.note(change, self._found(change, found.workspace, found.id), what, reason)
        return self._rollout_told(found.workspace, found.id)

    def note(self, change: Change, found: Rollout, what: Happening, reason: str) -> None:
        """Keep something in the history, the audit and the event log."""
        line = {"time": instant(change.now), "what": what, "weight": found.weight, "actor": change.who.name}
        line |= {"reason": reason, "facts": dict(found.verdict_facts)}
        history = [{**asdict(one), "time": instant(one.time)} for one in found.history]
        put_rollout(change, found.id, found.version, history=[*history, line][-_KEPT:])
        data = {"endpoint": found.endpoint, "model": found.model, "model_version": found.model_version}
        data |= {"weight": found.weight, "reason": reason[:500]}
        change.event(f"lifecycle.rollout.{what}", subject=f"rollout:{found.id}", data=data)
        change.audit(
            f"lifecycle.rollout.{what}", object_=f"endpoint:{found.endpoint}", detail={"rollout": found.id, **data}
        )

    def share(self, found: Rollout, weight: int, reason: str) -> None:
        """Give the version its share of the traffic, and main the rest."""
        shown = self.shown(found.workspace, found.endpoint)
        main = main_of(shown)
        others = {one.name: 0 for one in shown.deployments if one.name not in (main.name, found.deployment)}
        weights = {**others, main.name: 100 - weight, found.deployment: weight}
        self._registry.get(Serving).apply_weights(SYSTEM, found.workspace, found.endpoint, weights, reason)

    def shown(self, workspace: str, endpoint: str) -> Endpoint:
        """Return an endpoint as it is now."""
        one = OneEndpoint(workspace=workspace, endpoint=endpoint)
        return self._registry.get(Serving).get_endpoint(SYSTEM, one)

    def open_rollouts(self) -> list[Rollout]:
        """Return every rollout that deploys or runs, for the loop; those that are paused, for people."""
        with self._database.read() as conn:
            return list_rollouts(conn, None)

    def _move_alias(self, found: Rollout) -> None:
        alias = SetAlias(
            workspace=found.workspace, model=found.model, alias=str(found.promote_alias), number=found.model_version
        )
        self._registry.get(Models).set_alias(SYSTEM, alias)

    def _turn(
        self, who: Principal, command: NameRollout, states: tuple[str, ...], what: Happening, **values: Any
    ) -> Rollout:
        found = self._may(who, command, states)
        return self.put(who, found, what, command.reason, **values)

    def _may(self, who: Principal, command: NameRollout, states: tuple[str, ...]) -> Rollout:
        found = self._rollout(command.workspace, command.rollout)
        who.need("serving.edit", found.workspace, f"endpoint:{found.endpoint}")
        if found.state not in states:
            raise Conflict(f"rollout {found.id} is {found.state}", value=found.state, allowed=list(states))
        return found

    def _found(self, change: Change, workspace: str, id_: str) -> Rollout:
        found = find_rollout(change.conn, workspace, id_)
        if found is None:
            raise NotFound(f"there is no rollout {id_!r}", field="rollout", value=id_)
        return found

    def _rollout(self, workspace: str, id_: str) -> Rollout:
        with self._database.read() as conn:
            found = find_rollout(conn, workspace, id_)
        if found is None:
            raise NotFound(f"there is no rollout {id_!r} in {workspace!r}", field="rollout", value=id_)
        return found

    def _rollout_told(self, workspace: str, id_: str) -> Rollout:
        found, live = self._rollout(workspace, id_), self._registry.get(LiveHub)
        news = {"state": found.state, "weight": found.weight, "fraction": found.fraction, "verdict": found.verdict}
        for topic in (f"rollout:{found.id}", f"endpoint:{found.endpoint}/rollout", "rollouts"):
            live.publish(f"{workspace}/{topic}", news)
        return found


def main_of(shown: Endpoint) -> Deployment:
    """Return the main deployment of an endpoint, or say that there is none."""
    found = next((one for one in shown.deployments if one.is_main), None)
    if found is None:
        raise Conflict(
            f"nothing is deployed on {shown.slug!r}", value=shown.slug, hint="deploy a first version, then roll out"
        )
    return found
