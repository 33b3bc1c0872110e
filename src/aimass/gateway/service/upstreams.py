"""Services and their instances: registered once, kept by heartbeats."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from sqlalchemy import Row, delete, insert, update

from aimass.gateway.domain.services import (
    ChangeUpstream,
    CreateUpstream,
    Instance,
    Lease,
    ListInstances,
    ListUpstreams,
    OneInstance,
    OneUpstream,
    RegisterInstance,
    Upstream,
    check_upstream,
)
from aimass.gateway.events import (
    INSTANCE_EXPIRED,
    INSTANCE_REGISTERED,
    INSTANCE_REMOVED,
    UPSTREAM_CHANGED,
    UPSTREAM_CREATED,
    UPSTREAM_DELETED,
)
from aimass.gateway.publish_services import UPSTREAM
from aimass.gateway.service.ground import Part, fresh, upstream_row
from aimass.gateway.store import counts_of, find_row, instances, routes, rows_after, rows_of, upstreams
from aimass.infra.database import Change
from aimass.infra.notify import Target
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug
from aimass.kernel.pages import Page, decode_cursor, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case

_POLICY = ("balance", "hash_by", "connect_timeout_s", "failures", "open_s", "health_path", "health_interval_s")
_LATER: dict[str, Any] = {"health_path": "", "health_interval_s": 10.0}
"""What a policy that was written before it was known says."""
_MOST_INSTANCES = 100_000


class Upstreams(Part):
    """Use cases about services and their instances."""

    @use_case(
        "POST /workspaces/{workspace}/upstreams", permission="gateway.edit", cli="gateway upstreams create", status=201
    )
    def create_upstream(self, who: Principal, command: CreateUpstream) -> Upstream:
        """Announce a service that is to stand behind the gateway."""
        slug = check_slug(command.upstream, field="upstream")
        policy = {name: getattr(command, name) for name in _POLICY}
        check_upstream(policy)
        with self._database.change(who, command.workspace) as change:
            if find_row(change.conn, upstreams, workspace=command.workspace, upstream=slug) is not None:
                raise Conflict(f"service {slug!r} exists", field="upstream", value=slug, hint="choose another name")
            values = {"id": new_id(), "workspace": command.workspace, "upstream": slug, "title": command.title}
            more = {"policy": policy, "created_by": who.name, "created_at": change.now, "version": 1}
            change.execute(insert(upstreams).values(**values, **more))
            _note(change, UPSTREAM_CREATED, slug, policy)
        return self._upstream(command.workspace, slug)

    @use_case("GET /workspaces/{workspace}/upstreams", permission="gateway.read", cli="gateway upstreams list")
    def list_upstreams(self, who: Principal, command: ListUpstreams) -> Page[Upstream]:
        """List the services behind the gateway by name."""
        del who
        after = decode_cursor(command.cursor) if command.cursor else ""
        with self._database.read() as conn:
            found = rows_after(conn, upstreams, "upstream", after, command.limit + 1, workspace=command.workspace)
            counts = counts_of(conn, command.workspace, [row.upstream for row in found])
        return page_of([_told(row, counts) for row in found], command.limit, lambda one: one.upstream)

    @use_case(
        "GET /workspaces/{workspace}/upstreams/{upstream}",
        permission="gateway.read",
        cli="gateway upstreams show",
        on="upstream",
    )
    def get_upstream(self, who: Principal, command: OneUpstream) -> Upstream:
        """Show a service."""
        del who
        return self._upstream(command.workspace, command.upstream)

    def _upstream(self, workspace: str, name: str) -> Upstream:
        with self._database.read() as conn:
            return _told(upstream_row(conn, workspace, name), counts_of(conn, workspace, [name]))

    @use_case(
        "PATCH /workspaces/{workspace}/upstreams/{upstream}",
        permission="gateway.edit",
        cli="gateway upstreams change",
        on="upstream",
    )
    def change_upstream(self, who: Principal, command: ChangeUpstream) -> Upstream:
        """Change how a service is asked; live on all workers within a second."""
        wishes = {name: getattr(command, name) for name in _POLICY}
        given = {name: value for name, value in wishes.items() if value is not None}
        with self._database.change(who, command.workspace) as change:
            row = upstream_row(change.conn, command.workspace, command.upstream)
            fresh(row.version, command.expected_version)
            policy = {**row.policy, **given}
            check_upstream(policy)
            title = row.title if command.title is None else command.title
            values = {"title": title, "policy": policy, "version": row.version + 1}
            change.execute(update(upstreams).where(upstreams.c.id == row.id).values(**values))
            _note(change, UPSTREAM_CHANGED, command.upstream, given)
        self.services.mark(UPSTREAM, command.workspace, command.upstream)
        return self._upstream(command.workspace, command.upstream)

    @use_case(
        "DELETE /workspaces/{workspace}/upstreams/{upstream}",
        permission="gateway.edit",
        cli="gateway upstreams delete",
        on="upstream",
    )
    def delete_upstream(self, who: Principal, command: OneUpstream) -> None:
        """Delete a service to which no route leads, with its instances."""
        where = {"workspace": command.workspace, "upstream": command.upstream}
        with self._database.change(who, command.workspace) as change:
            row = upstream_row(change.conn, **_named(where))
            leading = [
                route.route
                for route in rows_of(change.conn, routes, workspace=command.workspace)
                if command.upstream in (route.upstream, route.policy.get("fallback_upstream"))
            ]
            if leading:
                raise Conflict(
                    f"routes lead to {command.upstream!r}", field="upstream", value=leading, hint="delete them first"
                )
            gone = rows_of(change.conn, instances, **where)
            change.execute(delete(instances).where(instances.c.id.in_([one.id for one in gone])))
            change.execute(delete(upstreams).where(upstreams.c.id == row.id))
            _note(change, UPSTREAM_DELETED, command.upstream)
        for one in gone:
            self._leases.end(one.id)
        self.services.mark(UPSTREAM, command.workspace, command.upstream)

    @use_case(
        "POST /workspaces/{workspace}/upstreams/{upstream}/instances",
        permission="gateway.edit",
        cli="gateway instances register",
        on="upstream",
        status=201,
    )
    def register_instance(self, who: Principal, command: RegisterInstance) -> Instance:
        """Register a server of a service, for good or with a lease that heartbeats renew; the same address renews it.

        Its name is looked up now, and requests go to the address that was found.
        """
        target = self.check_address(command.address)
        where = {"workspace": command.workspace, "upstream": command.upstream}
        url = f"{target.scheme}://{target.host_header}"
        values = {
            "host": target.host,
            "address": target.address,
            "port": target.port,
            "tls": target.scheme == "https",
            "weight": command.weight,
            "lease_s": command.lease_s,
        }
        with self._database.change(who, command.workspace) as change:
            upstream_row(change.conn, **_named(where))
            row = find_row(change.conn, instances, **where, url=url)
            id_ = new_id() if row is None else row.id
            is_same = row is not None and all(getattr(row, name) == value for name, value in values.items())
            if row is None:
                more = {"id": id_, "url": url, "registered_by": who.name, "registered_at": change.now}
                change.execute(insert(instances).values(**where, **values, **more))
            elif not is_same:
                change.execute(update(instances).where(instances.c.id == id_).values(**values))
            if not is_same:
                detail = {"instance": id_, "url": url, "weight": command.weight, "lease_s": command.lease_s}
                _note(change, INSTANCE_REGISTERED, command.upstream, detail)
        if command.lease_s is None:
            self._leases.end(id_)
        else:
            self._leases.hold(id_, command.workspace, command.upstream, command.lease_s)
        if not is_same:
            self.services.mark(UPSTREAM, command.workspace, command.upstream)
        with self._database.read() as conn:
            return self._instance(_instance_row(conn, OneInstance(**where, instance=id_)))

    def check_address(self, address: str) -> Target:
        """Return where an address leads; refuse one at which no service may be registered."""
        target = self._guard.check(address)
        if target.path != "/":
            raise Invalid(
                f"{address!r} has a path", field="address", value=address, allowed="http://host:port, without a path"
            )
        self._refuse_ourselves(target.address, target.port)
        return target

    def _refuse_ourselves(self, address: str, port: int) -> None:
        """Refuse the gateway's own port: every request would come back to it."""
        if port in {worker.port for worker in self.publisher.workers()} and _is_here(address):
            raise Invalid(
                f"port {port} is the gateway itself",
                field="address",
                value=port,
                hint="register the service's own port",
            )

    @use_case(
        "GET /workspaces/{workspace}/upstreams/{upstream}/instances",
        permission="gateway.read",
        cli="gateway instances list",
        on="upstream",
    )
    def list_instances(self, who: Principal, command: ListInstances) -> Page[Instance]:
        """List the servers of a service, oldest first."""
        del who
        after = decode_cursor(command.cursor) if command.cursor else ""
        where = {"workspace": command.workspace, "upstream": command.upstream}
        with self._database.read() as conn:
            upstream_row(conn, **_named(where))
            found = rows_after(conn, instances, "id", after, command.limit + 1, **where)
        return page_of([self._instance(row) for row in found], command.limit, lambda one: one.id)

    @use_case(
        "POST /workspaces/{workspace}/upstreams/{upstream}/instances/{instance}/heartbeat",
        permission="gateway.edit",
        cli="gateway instances heartbeat",
        on="upstream",
    )
    def heartbeat(self, who: Principal, command: OneInstance) -> Lease:
        """Renew the lease of a server; costs no write.

        Raises
        ------
        NotFound
            It has no lease any more: register it again.
        """
        del who
        held = self._leases.of(command.instance)
        if held is not None and (held.workspace, held.upstream) == (command.workspace, command.upstream):
            held = self._leases.renew(command.instance)
        else:
            held = None
        if held is None:
            raise NotFound(
                f"instance {command.instance!r} has no lease",
                field="instance",
                value=command.instance,
                hint="register it again",
            )
        until = self._database.clock.now() + timedelta(seconds=held.lease_s)
        return Lease(instance=command.instance, lease_s=held.lease_s, expires_at=until)

    @use_case(
        "DELETE /workspaces/{workspace}/upstreams/{upstream}/instances/{instance}",
        permission="gateway.edit",
        cli="gateway instances remove",
        on="upstream",
    )
    def remove_instance(self, who: Principal, command: OneInstance) -> None:
        """Take a server away; what it is answering is finished."""
        with self._database.change(who, command.workspace) as change:
            row = _instance_row(change.conn, command)
            _take_away(change, [row], INSTANCE_REMOVED)
        self._leases.end(command.instance)
        self.services.mark(UPSTREAM, command.workspace, command.upstream)

    def expire(self) -> int:
        """Take away the servers whose lease is over; return how many."""
        gone = 0
        for id_ in self._leases.expired():
            with self._database.read() as conn:
                row = find_row(conn, instances, id=id_)
            if row is not None:
                with self._database.change(SYSTEM, row.workspace) as change:
                    if not self._leases.is_over(id_):
                        continue
                    _take_away(change, [row], INSTANCE_EXPIRED)
                gone += 1
                self.services.mark(UPSTREAM, row.workspace, row.upstream)
            self._leases.end(id_)
        return gone

    def _instance(self, row: Row[Any]) -> Instance:
        held = self._leases.of(row.id)
        until = None if held is None else self._database.clock.now() + timedelta(seconds=self._leases.left_s(held))
        return Instance(
            id=row.id,
            workspace=row.workspace,
            upstream=row.upstream,
            url=row.url,
            address=row.address,
            weight=row.weight,
            lease_s=row.lease_s,
            expires_at=until,
            registered_by=row.registered_by,
            registered_at=row.registered_at,
        )


def _named(where: dict[str, str]) -> dict[str, str]:
    return {"workspace": where["workspace"], "name": where["upstream"]}


def _instance_row(conn: Any, command: OneInstance) -> Row[Any]:
    where = {"workspace": command.workspace, "upstream": command.upstream}
    row = find_row(conn, instances, **where, id=command.instance)
    if row is None:
        raise NotFound(
            f"{command.upstream!r} has no instance {command.instance!r}", field="instance", value=command.instance
        )
    return row


def _take_away(change: Change, rows: Sequence[Row[Any]], event: str) -> None:
    for row in rows:
        change.execute(delete(instances).where(instances.c.id == row.id))
        _note(change, event, row.upstream, {"instance": row.id, "url": row.url})


def _note(change: Change, event: str, upstream: str, detail: dict[str, Any] | None = None) -> None:
    subject = f"upstream:{upstream}"
    change.event(event, subject=subject, data=detail or {})
    change.audit(event, object_=subject, detail=detail or {})


def _told(row: Row[Any], counts: dict[str, int]) -> Upstream:
    return Upstream(
        id=row.id,
        workspace=row.workspace,
        upstream=row.upstream,
        title=row.title,
        **{name: {**_LATER, **row.policy}[name] for name in _POLICY},
        instances=counts.get(row.upstream, 0),
        created_by=row.created_by,
        created_at=row.created_at,
        version=row.version,
    )


def _is_here(address: str) -> bool:
    """Tell whether an address is one of this machine: a socket can be bound to no other.

    Examples
    --------
    >>> _is_here("127.0.0.1"), _is_here("192.0.2.1")
    (True, False)
    """
    family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET  # noqa: PLR2004 the version's number
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
