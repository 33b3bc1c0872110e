"""Use cases of the gateway's control side: consumers, limits, routes and workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aimass.access import GatewayKey
from aimass.gateway.certificates import certificate_of, troubles
from aimass.gateway.domain.inference import (
    Consumer,
    ConsumerKey,
    GatewayState,
    GatewayWorker,
    ListConsumers,
    ListModelRoutes,
    ModelRoute,
    RouteTarget,
    SetRateLimit,
)
from aimass.gateway.events import LIMIT_CHANGED
from aimass.gateway.plane.quotas import of_key
from aimass.gateway.publish import Publisher, WorkerStatus
from aimass.gateway.service.ground import Part
from aimass.gateway.store import all_limits, drop_limits, put_limit
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.errors import NotFound, Stale
from aimass.kernel.pages import Page, decode_cursor, page_of
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal
from aimass.kernel.usecase import SIGNED_IN, use_case
from aimass.serving import PublishedEndpoint


class Inference(Part):
    """Use cases about models: who calls them, by which addresses, and how far the workers are."""

    @use_case("GET /workspaces/{workspace}/consumers", permission="gateway.read", cli="gateway consumers")
    def list_consumers(self, who: Principal, command: ListConsumers) -> Page[Consumer]:
        """List who calls endpoints: their keys, what these may use, and their limits."""
        del who
        after = decode_cursor(command.cursor) if command.cursor else ""
        found = [one for one in self._consumers(command.workspace) if one.name > after]
        return page_of(found[: command.limit + 1], command.limit, lambda one: one.name)

    def _consumers(self, workspace: str) -> list[Consumer]:
        by_name: dict[str, list[GatewayKey]] = {}
        for key in self._access.gateway_keys():
            if key.workspace == workspace:
                by_name.setdefault(key.consumer, []).append(key)
        with self._database.read() as conn:
            limits = {row.consumer: row for row in all_limits(conn) if row.workspace == workspace}
        found = []
        for name in sorted(by_name):
            limit = limits.get(name)
            found.append(
                Consumer(
                    workspace=workspace,
                    name=name,
                    keys=self._keys(by_name[name]),
                    rate_per_s=limit.rate_per_s if limit else None,
                    changed_by=limit.changed_by if limit else None,
                    changed_at=limit.changed_at if limit else None,
                    version=limit.version if limit else 0,
                )
            )
        return found

    def _keys(self, keys: Sequence[GatewayKey]) -> list[ConsumerKey]:
        used = self.used_today([of_key(key.id) for key in keys])
        return [
            ConsumerKey(
                id=key.id, use=key.use, expires_at=key.expires_at, daily_quota=key.daily_quota, used_today=of_day
            )
            for key, of_day in zip(keys, used, strict=True)
        ]

    @use_case("PUT /workspaces/{workspace}/consumers/{consumer}/rate", permission="gateway.edit", cli="gateway limit")
    def set_rate_limit(self, who: Principal, command: SetRateLimit) -> Consumer:
        """Limit the requests a second of each key of a consumer; live on all workers within a second.

        Raises
        ------
        NotFound
            No key of this workspace belongs to such a consumer.
        """
        known = self._consumer(command)
        if command.expected_version is not None and command.expected_version != known.version:
            raise Stale(
                f"version {command.expected_version} was read, but now it is {known.version}",
                value=command.expected_version,
            )
        with self._database.change(who, command.workspace) as change:
            put_limit(change, command.consumer, command.rate_per_s)
            subject = f"consumer:{command.consumer}"
            change.audit("gateway.limit", object_=subject, detail={"rate_per_s": command.rate_per_s})
            change.event(LIMIT_CHANGED, subject=subject, data={"rate_per_s": command.rate_per_s})
        return self._consumer(command)

    def _consumer(self, command: SetRateLimit) -> Consumer:
        found = self._consumers(command.workspace)
        for one in found:
            if one.name == command.consumer:
                return one
        raise NotFound(
            f"no key in {command.workspace!r} belongs to {command.consumer!r}",
            field="consumer",
            value=command.consumer,
            allowed=[one.name for one in found],
        )

    @use_case("GET /workspaces/{workspace}/model-routes", permission="gateway.read", cli="gateway models")
    def list_model_routes(self, who: Principal, command: ListModelRoutes) -> Page[ModelRoute]:
        """List the addresses that answer inference, with their policies."""
        del who
        after = decode_cursor(command.cursor) if command.cursor else ""
        present = sorted(self._serving.published(), key=lambda one: one.name)
        found = [one for one in present if one.workspace == command.workspace and one.name > after]
        page = page_of(found[: command.limit + 1], command.limit, lambda one: one.name)
        return Page(items=[_route(one) for one in page.items], next=page.next)

    def erase_person(self, person: Person) -> list[Erased]:
        """Forget the limits of a consumer whose account is erased; one workspace alone erases no account."""
        if person.workspace != ANYWHERE:
            return []
        with self._database.change(SYSTEM, ANYWHERE) as change:
            return [Erased(what="limits of consumers", count=drop_limits(change, person))]

    def tls_troubles(self) -> list[str]:
        """Say what is wrong with the certificate of the public port, or soon will be."""
        return troubles(self._settings, self._database.clock.now())

    def tls_in_words(self) -> str:
        """Say in a line how the public port is secured."""
        shown = certificate_of(self._settings, self._database.clock.now())
        return f"{shown.subject}, until {shown.expires_at:%Y-%m-%d}" if shown else "the public port does not speak TLS"

    def faults(self) -> list[Fault]:
        """Return what is wrong with the certificate, and with the workers where an endpoint needs them."""
        secure = [Fault(worker="tls", title=told, since=self._database.clock.now()) for told in self.tls_troubles()]
        return [*secure, *self._ill_workers()]

    def _ill_workers(self) -> list[Fault]:
        publisher = self.publisher
        if not publisher.content.get("endpoints"):
            return []
        alive, now = publisher.workers(), self._database.clock.now()
        gone = [
            Fault(worker=name, title=f"gateway worker {name} does not run", since=at) for name, at in publisher.gone()
        ]
        if not alive:
            since = max((fault.since for fault in gone), default=_modified(publisher) or now)
            return [Fault(worker="all", title="no gateway worker runs: no service answers", since=since)]
        ill = [one for one in alive if one.error]
        return [
            *gone,
            *(Fault(worker=one.worker, title=f"gateway worker {one.worker}: {one.error}", since=now) for one in ill),
        ]

    @use_case("GET /gateway", permission=SIGNED_IN, cli="gateway show")
    def get_gateway(self, who: Principal) -> GatewayState:
        """Show the gateway workers and which snapshot each of them serves by."""
        del who
        publisher = self.publisher
        content = publisher.content
        return GatewayState(
            snapshot=publisher.version,
            published_at=_modified(publisher),
            endpoints=len(content.get("endpoints", {})),
            keys=len(content.get("keys", {})),
            workers=[_worker(status, publisher.version) for status in publisher.workers()],
            certificate=certificate_of(self._settings, self._database.clock.now()),
            troubles=self.tls_troubles(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a gateway worker, in words, and since when."""

    worker: str
    title: str
    since: datetime


def _modified(publisher: Publisher) -> datetime | None:
    try:
        return datetime.fromtimestamp(publisher.path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def _worker(status: WorkerStatus, newest: int) -> GatewayWorker:
    errors = [f"{id_}: {error}" for id_, error in sorted(status.errors.items())]
    return GatewayWorker(
        worker=status.worker,
        pid=status.pid,
        port=status.port,
        snapshot=status.snapshot,
        is_current=status.snapshot == newest,
        loaded=len(status.loaded),
        in_memory=sum(size > 0 for size in status.memory.values()),
        model_bytes=status.model_bytes,
        max_model_bytes=status.max_model_bytes,
        errors=[status.error, *errors] if status.error else errors,
    )


def _split(traffic: Mapping[str, Any]) -> str:
    """Say by what requests are assigned.

    Examples
    --------
    >>> _split({"split": "header", "split_by": "x-session"}), _split({})
    ('header x-session', 'random')
    """
    return f"{traffic.get('split', 'random')} {traffic.get('split_by', '')}".strip()


def _route(endpoint: PublishedEndpoint) -> ModelRoute:
    targets = [
        RouteTarget(deployment=one.name, model=one.model, version=one.version, weight=one.weight, runtime=one.runtime)
        for one in endpoint.deployments
    ]
    return ModelRoute(
        workspace=endpoint.workspace,
        endpoint=endpoint.name,
        path=f"/v2/models/{endpoint.name}/infer",
        timeout_s=endpoint.timeout_s,
        max_body_bytes=endpoint.max_body_bytes,
        record_sample=endpoint.sample,
        record_payload=endpoint.payload,
        targets=targets,
        shadow=endpoint.shadow.name if endpoint.shadow else None,
        fallback=endpoint.fallback.name if endpoint.fallback else None,
        split=_split(endpoint.traffic),
        has_static=bool(endpoint.traffic.get("static")),
    )
