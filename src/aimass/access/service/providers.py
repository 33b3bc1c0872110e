"""Identity providers: configured by administrators, and the people whom they vouch for."""

from __future__ import annotations

from typing import Any

from aimass.access.domain.people import OneUser
from aimass.access.domain.providers import (
    AddProvider,
    ChangeProvider,
    GroupRole,
    Identity,
    LinkIdentity,
    OneProvider,
    Provider,
    ProviderCheck,
    UnlinkIdentity,
)
from aimass.access.service.giving import role_of
from aimass.access.service.ground import Part, find_user, keeping_an_administrator, need_place, need_version
from aimass.access.store import rows
from aimass.access.store.tables import grants, identities, providers, session_origins, sessions
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.names import clean_name, slug_of
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.usecase import use_case


class Providers(Part):
    """Keeps identity providers, and who is known to them."""

    @use_case("POST /access/providers", permission="access.manage", cli="sso add", status=201)
    def add_provider(self, who: Principal, command: AddProvider) -> Provider:
        """Let people sign in by an identity provider; it is asked at once who it is."""
        name, slug = clean_name(command.name), slug_of(command.name)
        self._ground.discovery.document(command.issuer, fresh=True)
        with self._change(who, ANYWHERE) as change:
            if rows.find(change.conn, providers, slug=slug):
                raise Conflict(f"there is a provider {slug!r}", field="name", value=name)
            rows.add(
                change.conn,
                providers,
                slug=slug,
                name=name,
                issuer=command.issuer,
                client_id=no_blank(command.client_id, "client_id"),
                secret=self._sealed(slug, no_blank(command.client_secret, "client_secret")),
                scopes=_scopes(command.scopes),
                groups_claim=no_blank(command.groups_claim, "groups_claim"),
                new_people=command.new_people,
                enabled=True,
                group_roles=_group_roles(change, command.group_roles),
                created_at=change.now,
                version=1,
            )
            change.audit("access.provider.add", object_=f"provider:{slug}", detail={"issuer": command.issuer})
            change.event("access.provider.added", subject=f"provider:{slug}")
            return self._provider(find_provider(change.conn, slug))

    @use_case("GET /access/providers", permission="access.read", cli="sso list")
    def list_providers(self, who: Principal) -> list[Provider]:
        """List the identity providers."""
        del who
        with self._database.read() as conn:
            return [self._provider(row) for row in rows.every(conn, providers)]

    @use_case("GET /access/providers/{provider}", permission="access.read", cli="sso show")
    def get_provider(self, who: Principal, command: OneProvider) -> Provider:
        """Show one identity provider."""
        del who
        with self._database.read() as conn:
            return self._provider(find_provider(conn, command.provider))

    @use_case("PATCH /access/providers/{provider}", permission="access.manage", cli="sso change")
    def change_provider(self, who: Principal, command: ChangeProvider) -> Provider:
        """Change an identity provider; roles by group count from the next sign-in of a person."""
        with self._change(who, ANYWHERE) as change:
            row = find_provider(change.conn, command.provider)
            need_version(row, command.expected_version)
            values = self._changes(change, command)
            fields = sorted(values)
            rows.change(change.conn, providers, {"slug": row.slug}, **values, version=row.version + 1)
            change.audit("access.provider.change", object_=f"provider:{row.slug}", detail={"fields": fields})
            change.event("access.provider.changed", subject=f"provider:{row.slug}", data={"fields": fields})
            return self._provider(find_provider(change.conn, row.slug))

    @use_case("DELETE /access/providers/{provider}", permission="access.manage", cli="sso remove", status=204)
    def remove_provider(self, who: Principal, command: OneProvider) -> None:
        """Remove an identity provider; its sessions end, and the roles that it gave go."""
        with self._change(who, ANYWHERE) as change, keeping_an_administrator(change.conn):
            row = find_provider(change.conn, command.provider)
            self._end_sessions_of(change, provider=row.slug)
            rows.remove(change.conn, grants, created_by=mark_of(row.slug))
            rows.remove(change.conn, identities, provider=row.slug)
            rows.remove(change.conn, providers, slug=row.slug)
            change.audit("access.provider.remove", object_=f"provider:{row.slug}")
            change.event("access.provider.removed", subject=f"provider:{row.slug}")

    @use_case("POST /access/providers/{provider}/check", permission="access.manage", cli="sso check")
    def check_provider(self, who: Principal, command: OneProvider) -> ProviderCheck:
        """Ask a provider now who it is, and for its keys."""
        del who
        with self._database.read() as conn:
            issuer = find_provider(conn, command.provider).issuer
        told = self._ground.discovery.document(issuer, fresh=True)
        return ProviderCheck(
            issuer=issuer,
            authorization_endpoint=told["authorization_endpoint"],
            token_endpoint=told["token_endpoint"],
            signing_keys=self._ground.discovery.keys(issuer),
            offers_logout=isinstance(told.get("end_session_endpoint"), str),
        )

    @use_case("GET /access/users/{user}/identities", permission="access.read", cli="users identities")
    def list_identities(self, who: Principal, command: OneUser) -> list[Identity]:
        """List the identity providers that vouch for a person."""
        del who
        with self._database.read() as conn:
            row = find_user(conn, command.user)
            return [_identity(one) for one in rows.every(conn, identities, user_id=row.id)]

    @use_case("POST /access/users/{user}/identities", permission="access.manage", cli="users link", status=201)
    def link_identity(self, who: Principal, command: LinkIdentity) -> Identity:
        """Let somebody whom the provider vouches for in as this person."""
        with self._change(who, ANYWHERE) as change:
            row, provider = find_user(change.conn, command.user), find_provider(change.conn, command.provider)
            if rows.find(change.conn, identities, issuer=provider.issuer, subject=command.subject):
                raise Conflict("the provider's person is linked already", field="subject", value=command.subject)
            return link(change, provider, command.subject, row.id)

    @use_case(
        "DELETE /access/users/{user}/identities/{provider}",
        permission="access.manage",
        cli="users unlink",
        status=204,
    )
    def unlink_identity(self, who: Principal, command: UnlinkIdentity) -> None:
        """Do not let a provider vouch for this person any more; the sessions that it opened end."""
        with self._change(who, ANYWHERE) as change, keeping_an_administrator(change.conn):
            row = find_user(change.conn, command.user)
            if not rows.remove(change.conn, identities, provider=command.provider, user_id=row.id):
                raise NotFound(f"{command.provider!r} does not know {row.name!r}", field="provider")
            rows.remove(change.conn, grants, subject_id=row.id, created_by=mark_of(command.provider))
            self._end_sessions_of(change, provider=command.provider, user_id=row.id)
            change.audit("access.identity.unlink", object_=f"user:{row.id}", detail={"provider": command.provider})

    def _changes(self, change: Change, command: ChangeProvider) -> dict[str, Any]:
        """Return the columns that a command names."""
        values: dict[str, Any] = {}
        if command.name is not None:
            values["name"] = clean_name(command.name)
        for field in ("client_id", "groups_claim"):
            text = getattr(command, field)
            if text is not None:
                values[field] = no_blank(text, field)
        for field in ("new_people", "enabled"):
            if getattr(command, field) is not None:
                values[field] = getattr(command, field)
        if command.client_secret is not None:
            values["secret"] = self._sealed(command.provider, no_blank(command.client_secret, "client_secret"))
        if command.scopes is not None:
            values["scopes"] = _scopes(command.scopes)
        if command.group_roles is not None:
            values["group_roles"] = _group_roles(change, command.group_roles)
        return values

    def _end_sessions_of(self, change: Change, **where: Any) -> int:
        """End the sessions that a provider opened; return how many."""
        ended = 0
        for origin in rows.every(change.conn, session_origins, **where):
            ended += rows.remove(change.conn, sessions, id=origin.session_id)
        rows.remove(change.conn, session_origins, **where)
        return ended

    def _sealed(self, slug: str, secret: str) -> bytes:
        return self._ground.secrets.seal(secret.encode(), about=f"provider:{slug}")

    def _provider(self, row: Any) -> Provider:
        base = f"{self._settings.public_url.rstrip('/')}/oidc/{row.slug}"
        return Provider(
            slug=row.slug,
            name=row.name,
            issuer=row.issuer,
            client_id=row.client_id,
            scopes=row.scopes,
            groups_claim=row.groups_claim,
            new_people=row.new_people,
            enabled=row.enabled,
            group_roles=[GroupRole(**one) for one in row.group_roles],
            redirect_uri=f"{base}/callback",
            logout_uri=f"{base}/logout",
            created_at=row.created_at,
            version=row.version,
        )


def mark_of(slug: str) -> str:
    """Return who gave the roles that come from the groups of a provider."""
    return f"provider:{slug}"


def link(change: Change, provider: Any, subject: str, user_id: str) -> Identity:
    """Note that the provider's person is ours."""
    values = {"issuer": provider.issuer, "subject": subject, "provider": provider.slug, "user_id": user_id}
    rows.add(change.conn, identities, **values, linked_at=change.now)
    change.audit("access.identity.link", object_=f"user:{user_id}", detail={"provider": provider.slug})
    change.event("access.identity.linked", subject=f"user:{user_id}", data={"provider": provider.slug})
    return _identity(rows.find(change.conn, identities, issuer=provider.issuer, subject=subject))


def find_provider(conn: Any, slug: str) -> Any:
    """Return the row of a provider, offered or not."""
    row = rows.find(conn, providers, slug=slug)
    if row is None:
        raise NotFound(f"there is no identity provider {slug!r}", field="provider", value=slug)
    return row


def _group_roles(change: Change, wanted: list[GroupRole]) -> list[dict[str, str]]:
    """Check that each role can be given where it is to be given."""
    found: list[dict[str, str]] = []
    for one in wanted:
        need_place(change.conn, one.workspace)
        role_of(change.conn, one.workspace, one.role)
        found.append({"group": no_blank(one.group, "group_roles"), "role": one.role, "workspace": one.workspace})
    return found


def no_blank(text: str, field: str) -> str:
    """Return the text without spaces around it, or refuse an empty one."""
    if not text.strip():
        raise Invalid(f"{field} is empty", field=field)
    return text.strip()


def _scopes(wanted: list[str]) -> list[str]:
    cleaned = [one for one in dict.fromkeys(word.strip() for word in wanted) if one]
    if any(" " in one for one in cleaned):
        raise Invalid("a scope is one word", field="scopes", value=wanted, allowed='for example ["openid", "email"]')
    return cleaned if "openid" in cleaned else ["openid", *cleaned]


def _identity(row: Any) -> Identity:
    return Identity(
        provider=row.provider, issuer=row.issuer, subject=row.subject, user=row.user_id, linked_at=row.linked_at
    )
