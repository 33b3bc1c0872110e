"""The token endpoint of OAuth 2.0 for machines: a key is exchanged for a token, looked into, and taken back."""

from __future__ import annotations

from typing import Any

from aimass.access.domain.credentials import KEY, fingerprint
from aimass.access.domain.roles import check_permission
from aimass.access.domain.tokens import CLIENT_CREDENTIALS, DOTS, Client
from aimass.access.errors import (
    TokenClientUnknown,
    TokenGrantUnsupported,
    TokenRequestIncomplete,
    TokenScopeUnknown,
)
from aimass.access.service.principals import Principals
from aimass.access.service.sessions import Attempts
from aimass.access.store import queries
from aimass.kernel.errors import Invalid, Unauthenticated
from aimass.kernel.principal import Principal

_READ = "access.read"


class OAuth(Principals, Attempts):
    """Answers programs that speak OAuth 2.0: a client is an API key, by its id or by the name of its owner."""

    def grant_token(self, client: Client, grant_type: str, scope: str) -> dict[str, Any]:
        """Exchange a key for a signed token (RFC 6749, section 4.4)."""
        if not grant_type:
            raise TokenRequestIncomplete("grant_type is missing", hint="send the fields as a form")
        if grant_type != CLIENT_CREDENTIALS:
            raise TokenGrantUnsupported(
                f"the grant {grant_type!r} is not offered", value=grant_type, allowed=[CLIENT_CREDENTIALS]
            )
        row, who = self._proven(client)
        wanted = _scopes(who, row.workspace, scope)
        more = {"scope": " ".join(wanted)} if wanted else {}
        with self._change(who, row.workspace) as change:
            change.audit("access.token.issue", object_=f"key:{row.id}", detail={"scopes": wanted})
        text = self._signed(who.id, f"key:{row.id}", client_id=row.id, **more)
        life = {"expires_in": self._settings.token_s}
        return {"access_token": text, "token_type": "Bearer", **life, **more}

    def introspect(self, client: Client, token: str) -> dict[str, Any]:
        """Tell what a token stands for (RFC 7662); of one that the client may not know, only that it is not active."""
        row, asker = self._proven(client)
        try:
            who, claims = self.authenticate(token), self._shown_claims(token)
        except Unauthenticated:
            return {"active": False}
        seen = who.id == asker.id or (asker.allows(_READ, row.workspace) and who.knows(row.workspace))
        return {"active": True, "username": who.name, **claims} if seen else {"active": False}

    def revoke_token(self, client: Client, token: str) -> None:
        """Take a signed token back (RFC 7009); an unknown one, or one of another client, changes nothing."""
        row, who = self._proven(client)
        if token.count(".") != DOTS:
            return
        try:
            claims = self._claims(token)
        except Unauthenticated:
            return
        if claims.get("via") == f"key:{row.id}":
            with self._change(who, row.workspace) as change:
                self._take_back(change, claims)

    def _proven(self, client: Client) -> tuple[Any, Principal]:
        """Return the key of a client and its principal; only wrong guesses are counted, so nobody can lock a client out."""
        if not client.is_complete:
            raise TokenClientUnknown("the client does not name itself", hint="send client_id and client_secret")
        with self._database.read() as conn:
            row = queries.key_by(conn, sha256=fingerprint(client.secret)) if client.secret.startswith(KEY) else None
        if row is None or client.id not in (row.id, row.owner_id, row.owner):
            self._take_attempt(f"client:{client.id}")
            raise TokenClientUnknown("client_id and client_secret do not belong together", hint="make a new key")
        try:
            return row, self.authenticate_key(client.secret)
        except Unauthenticated as reason:
            raise TokenClientUnknown(reason.message, hint=reason.hint) from reason

    def _shown_claims(self, token: str) -> dict[str, Any]:
        if token.count(".") != DOTS:
            return {"token_type": "Bearer", "iss": self.token_issuer}
        names = ("iss", "aud", "sub", "client_id", "scope", "iat", "exp", "jti")
        claims = self._claims(token)
        return {"token_type": "Bearer", **{name: claims[name] for name in names if name in claims}}


def _scopes(who: Principal, workspace: str, text: str) -> list[str]:
    """Return the permissions that a token is cut down to; none named leaves it all that its key has."""
    try:
        wanted = sorted({check_permission(word) for word in text.split()})
    except Invalid as reason:
        raise TokenScopeUnknown(reason.message, field="scope", value=text, hint=reason.hint) from reason
    for one in wanted:
        if not any(grant.covers(one, workspace, grant.object) for grant in who.grants):
            raise TokenScopeUnknown(f"the key has no {one!r}", field="scope", value=one)
    return wanted
