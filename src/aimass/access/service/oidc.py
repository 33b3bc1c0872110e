"""Signing in by an identity provider: code flow with PKCE, accounts by (issuer, subject), roles by group, single log-out."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote_plus, urlencode

from aimass.access.domain.credentials import fingerprint
from aimass.access.domain.people import SignedIn
from aimass.access.domain.providers import groups_in, need_id_token, need_logout_token, verified_email
from aimass.access.errors import NotVouchedFor, SignInSpent
from aimass.access.service.ground import keeping_an_administrator, name_key
from aimass.access.service.providers import Providers, find_provider, link, mark_of
from aimass.access.service.sessions import Sessions
from aimass.access.store import queries, rows
from aimass.access.store.tables import (
    grants,
    identities,
    links,
    providers,
    session_origins,
    sessions,
    sign_ins,
    users,
    workspaces,
)
from aimass.infra.database import Change
from aimass.kernel.errors import AimassError, Conflict, NotFound, Unauthenticated
from aimass.kernel.ids import new_id
from aimass.kernel.names import clean_name
from aimass.kernel.principal import ANYWHERE, SYSTEM

_LIFE = timedelta(minutes=10)
_MOST_UNDER_WAY = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Where the browser goes to sign in, and what it has to bring back."""

    url: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A person who came back, and where he wanted to go."""

    signed_in: SignedIn
    next: str


class SingleSignOn(Providers, Sessions):
    """Lets people in whom an identity provider vouches for."""

    def offered(self) -> list[tuple[str, str]]:
        """Return slug and name of the providers that the page to sign in offers."""
        with self._database.read() as conn:
            return [(row.slug, row.name) for row in rows.every(conn, providers, enabled=True)]

    def depart(self, slug: str, next_: str) -> Departure:
        """Begin a sign-in at a provider."""
        provider = self._offering(slug)
        endpoint = self._ground.discovery.document(provider.issuer)["authorization_endpoint"]
        state, nonce, verifier = token_urlsafe(32), token_urlsafe(32), token_urlsafe(48)
        about, inner = f"sign_in:{fingerprint(state)}", json.dumps({"nonce": nonce, "verifier": verifier})
        with self._database.change(SYSTEM, ANYWHERE) as change:
            if rows.count(change.conn, sign_ins) >= _MOST_UNDER_WAY:
                queries.forget_oldest_sign_in(change.conn)  # anybody may begin one: nobody may keep others out so
            rows.add(
                change.conn,
                sign_ins,
                sha256=fingerprint(state),
                provider=slug,
                sealed=self._ground.secrets.seal(inner.encode(), about=about),
                next=next_,
                expires_at=change.now + _LIFE,
            )
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": self._provider(provider).redirect_uri,
            "scope": " ".join(provider.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return Departure(url=f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}", state=state)

    def arrive(self, slug: str, state: str, code: str, agent: str) -> Arrival:
        """Finish a sign-in: exchange the code, check the token, find or make the account, open a session."""
        with self._counting("access_sign_ins", way="provider"):
            return self._arrived(slug, state, code, agent)

    def _arrived(self, slug: str, state: str, code: str, agent: str) -> Arrival:
        provider = self._offering(slug)
        inner, next_ = self._spend(slug, state)
        claims = self._claims_of(provider, code, inner)
        with self._change(SYSTEM, ANYWHERE) as change, keeping_an_administrator(change.conn):
            person = self._person(change, provider, claims)
            self._bring_roles(change, provider, person.id, claims)
            signed_in = self._open(change, person, agent)
            rows.add(
                change.conn,
                session_origins,
                session_id=signed_in.session,
                provider=slug,
                user_id=person.id,
                subject=claims["sub"],
                sid=str(claims.get("sid", ""))[:255],
            )
        return Arrival(signed_in=signed_in, next=next_)

    def logout_address(self, token: str) -> str | None:
        """Return where the browser ends its session at the provider too, if one opened this session and offers that."""
        with self._database.read() as conn:
            session = rows.find(conn, sessions, sha256=fingerprint(token))
            origin = rows.find(conn, session_origins, session_id=session.id) if session else None
            provider = rows.find(conn, providers, slug=origin.provider) if origin else None
        if provider is None:
            return None
        try:
            endpoint = self._ground.discovery.document(provider.issuer).get("end_session_endpoint")
        except AimassError:
            return None  # the provider is down: the own session ends all the same
        back = {
            "client_id": provider.client_id,
            "post_logout_redirect_uri": f"{self._settings.public_url.rstrip('/')}/login",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(back)}" if isinstance(endpoint, str) else None

    def end_by_provider(self, slug: str, logout_token: str) -> int:
        """End the sessions that a provider's logout token names (back-channel logout); return how many."""
        with self._database.read() as conn:
            provider = find_provider(conn, slug)  # one that is switched off ends what it opened all the same
        claims = self._ground.discovery.claims(provider.issuer, logout_token)
        need_logout_token(claims, provider.issuer, provider.client_id, self._now().timestamp())
        which = {"sid": claims["sid"]} if claims.get("sid") else {"subject": claims["sub"]}
        with self._change(SYSTEM, ANYWHERE) as change:
            ended = self._end_sessions_of(change, provider=slug, **which)
            change.audit("access.session.end", object_=f"provider:{slug}", detail={"sessions": ended})
        return ended

    def _offering(self, slug: str) -> Any:
        with self._database.read() as conn:
            row = rows.find(conn, providers, slug=slug, enabled=True)
        if row is None:
            raise NotFound(f"there is no identity provider {slug!r}", field="provider", value=slug)
        return row

    def _spend(self, slug: str, state: str) -> tuple[dict[str, str], str]:
        """Return what belongs to a state; each counts once."""
        mark = fingerprint(state)
        with self._database.change(SYSTEM, ANYWHERE) as change:
            row = rows.find(change.conn, sign_ins, sha256=mark, provider=slug)
            is_mine = rows.remove(change.conn, sign_ins, sha256=mark, provider=slug) == 1
        if row is None or not is_mine or row.expires_at <= self._now():
            raise SignInSpent(hint="sign in again")
        plain = self._ground.secrets.unseal(row.sealed, about=f"sign_in:{mark}")
        return dict(json.loads(plain)), row.next

    def _claims_of(self, provider: Any, code: str, inner: dict[str, str]) -> dict[str, Any]:
        """Exchange the code for what the provider says of the person."""
        discovery, issuer = self._ground.discovery, provider.issuer
        told = discovery.document(issuer)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._provider(provider).redirect_uri,
            "code_verifier": inner["verifier"],
        }
        secret = self._ground.secrets.unseal(provider.secret, about=f"provider:{provider.slug}").decode()
        headers: dict[str, str] = {}
        if "client_secret_basic" in told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]):
            pair = f"{quote_plus(provider.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": provider.client_id, "client_secret": secret}
        tokens = discovery.ask("POST", told["token_endpoint"], form=form, headers=headers)
        claims = discovery.claims(issuer, str(tokens.get("id_token", "")))
        need_id_token(claims, issuer, provider.client_id, inner["nonce"], self._now().timestamp())
        return {**self._more_of(told, tokens, claims["sub"]), **claims}

    def _more_of(self, told: dict[str, Any], tokens: dict[str, Any], subject: str) -> dict[str, Any]:
        """Return what the provider's page of the person adds, if it has one."""
        address, access_token = told.get("userinfo_endpoint"), tokens.get("access_token")
        if not isinstance(address, str) or not isinstance(access_token, str):
            return {}
        more = self._ground.discovery.ask("GET", address, headers={"Authorization": f"Bearer {access_token}"})
        if more.get("sub") != subject:
            raise Unauthenticated("the provider's token does not fit: sub", hint="sign in again", value="sub")
        return more

    def _person(self, change: Change, provider: Any, claims: dict[str, Any]) -> Any:
        """Return the account of the provider's person: linked before, invited by mail address, or new."""
        linked = rows.find(change.conn, identities, issuer=provider.issuer, subject=claims["sub"])
        row = rows.find(change.conn, users, id=linked.user_id) if linked else self._invited(change, claims)
        if linked is None and row is None and provider.new_people:
            row = _new_person(change, claims)
        if row is None:
            hint = f"an administrator invites the mail address, or links subject {claims['sub']!r}"
            raise NotVouchedFor(f"{provider.name!r} knows you, but this platform has no account for you", hint=hint)
        if linked is None:
            link(change, provider, claims["sub"], row.id)
        if row.state == "disabled":
            raise NotVouchedFor(f"the account {row.name!r} is disabled", hint="ask an administrator")
        return _accepted(change, row) if row.state == "invited" else row

    def _invited(self, change: Change, claims: dict[str, Any]) -> Any:
        """Return the account whose invitation waits for a verified mail address."""
        email = verified_email(claims)
        found = rows.every(change.conn, users, email=email, state="invited") if email else []
        if len(found) != 1:
            return None
        (row,) = found
        invitation = rows.find(change.conn, links, user_id=row.id, kind="invitation")
        return row if invitation is not None and invitation.expires_at > change.now else None

    def _bring_roles(self, change: Change, provider: Any, user_id: str, claims: dict[str, Any]) -> None:
        """Give the roles of the person's groups, and take those whose group he has left."""
        groups = groups_in(claims, provider.groups_claim)
        wanted = {(one["workspace"], one["role"]) for one in provider.group_roles if one["group"] in groups}
        whom = {"subject_kind": "user", "subject_id": user_id, "object": ""}
        for row in rows.every(change.conn, grants, **whom, created_by=mark_of(provider.slug)):
            if (row.workspace, row.role) not in wanted:
                rows.remove(change.conn, grants, id=row.id)
                _told(change, "take", user_id, row.id, row.role)
        for workspace, role in sorted(wanted):
            is_gone = workspace != ANYWHERE and not rows.find(change.conn, workspaces, slug=workspace, deleted_at=None)
            place = {**whom, "workspace": workspace, "role": role}
            if is_gone or rows.find(change.conn, grants, **place):
                continue
            grant = new_id()
            given = {"created_by": mark_of(provider.slug), "created_at": change.now}
            rows.add(change.conn, grants, id=grant, **place, **given)
            _told(change, "give", user_id, grant, role)


def _accepted(change: Change, row: Any) -> Any:
    """Turn an account that was invited into one that signs in."""
    rows.remove(change.conn, links, user_id=row.id)
    rows.change(change.conn, users, {"id": row.id}, state="active", version=row.version + 1)
    change.audit("access.user.accept", object_=f"user:{row.id}")
    change.event("access.user.accepted", subject=f"user:{row.id}")
    return rows.find(change.conn, users, id=row.id)


def _told(change: Change, verb: str, user_id: str, grant: str, role: str) -> None:
    detail = {"grant": grant, "role": role}
    change.audit(f"access.grant.{verb}", object_=f"user:{user_id}", detail=detail)
    change.event(f"access.grant.{'given' if verb == 'give' else 'taken'}", subject=f"user:{user_id}", data=detail)


def _new_person(change: Change, claims: dict[str, Any]) -> Any:
    """Make an account by the name that the provider gives; one that exists is never taken over."""
    names = (claims.get("preferred_username"), claims.get("email"), claims["sub"])
    name = next(one for one in names if isinstance(one, str) and one.strip())[:255]
    if rows.find(change.conn, users, name_key=name_key(name)):
        raise Conflict(
            f"there is a user {name!r} already, whom nobody has linked",
            field="name",
            value=name,
            hint=f"an administrator links subject {claims['sub']!r} to that person",
        )
    id_ = new_id()
    rows.add(
        change.conn,
        users,
        id=id_,
        name=clean_name(name),
        name_key=name_key(name),
        email=verified_email(claims),
        state="active",
        password=None,
        totp_confirmed=False,
        totp_step=0,
        created_at=change.now,
        version=1,
    )
    change.audit("access.user.accept", object_=f"user:{id_}")
    change.event("access.user.accepted", subject=f"user:{id_}")
    return rows.find(change.conn, users, id=id_)
