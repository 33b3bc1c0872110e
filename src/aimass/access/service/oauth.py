"""The token endpoint of OAuth 2.0: keys, device codes and refresh tokens become tokens, which are looked into and taken back."""

from __future__ import annotations

from typing import Any

from aimass.access.domain.credentials import KEY, REFRESH, fingerprint
from aimass.access.domain.roles import check_permission
from aimass.access.domain.tokens import CLIENT_CREDENTIALS, DEVICE_CODE, DOTS, GRANTS, REFRESH_TOKEN, Ask, Client
from aimass.access.errors import (
    TokenClientUnknown,
    TokenGrantUnsupported,
    TokenRequestIncomplete,
    TokenScopeUnknown,
)
from aimass.access.service.devices import Devices
from aimass.access.store import queries
from aimass.kernel.errors import Invalid, Unauthenticated
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal

_READ = "access.read"
_KNOWN = frozenset({CLIENT_CREDENTIALS, *GRANTS})


class OAuth(Devices):
    """Answers programs that speak OAuth 2.0.

    A client is an API key, by its id or by the name of its owner, or a program without a secret that people sign in.
    """

    def grant_token(self, client: Client, ask: Ask) -> dict[str, Any]:
        """Exchange a key (RFC 6749, section 4.4), the code of a device (RFC 8628) or a refresh token for tokens."""
        with self._counting("access_tokens", grant=ask.grant_type if ask.grant_type in _KNOWN else "other"):
            return self._granted(client, ask)

    def _granted(self, client: Client, ask: Ask) -> dict[str, Any]:
        if not ask.grant_type:
            raise TokenRequestIncomplete("grant_type is missing", hint="send the fields as a form")
        if ask.grant_type == CLIENT_CREDENTIALS:
            return self._grant_to_key(client, ask.scope)
        if ask.grant_type not in GRANTS:
            raise TokenGrantUnsupported(
                f"the grant {ask.grant_type!r} is not offered", value=ask.grant_type, allowed=list(GRANTS)
            )
        if not ask.proof:
            missing = {DEVICE_CODE: "device_code", REFRESH_TOKEN: "refresh_token"}[ask.grant_type]
            raise TokenRequestIncomplete(f"{missing} is missing", field=missing)
        if ask.grant_type == DEVICE_CODE:
            return self.spend_device_code(client.id, ask.proof, ask.address)
        return self.refresh(client.id, ask.proof, ask.scope, ask.address)

    def _grant_to_key(self, client: Client, scope: str) -> dict[str, Any]:
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
        """Take a token back (RFC 7009); an unknown one, or one of another client, changes nothing."""
        if token.startswith(REFRESH):
            self.give_back(client.id, token)
            return
        is_public = bool(client.id) and not client.secret
        if is_public:
            self.need_public(client.id)
            mine, place, who = ("client_id", client.id), ANYWHERE, SYSTEM
        else:
            row, who = self._proven(client)
            mine, place = ("via", f"key:{row.id}"), row.workspace
        if token.count(".") != DOTS:
            return
        try:
            claims = self._claims(token)
        except Unauthenticated:
            return
        if claims.get(mine[0]) == mine[1]:
            with self._change(who, place) as change:
                self._take_back(change, claims)
                self._ground.counters.add("access_revocations", of="token")

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
