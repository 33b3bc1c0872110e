"""Signed tokens: their keys, how they are made, read and taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from aimass.access.domain.tokens import ALGORITHM, PublishedTokens, RotateTokenKey, TokenKey
from aimass.access.service.ground import Part
from aimass.access.store import queries, rows
from aimass.access.store.tables import revoked_tokens
from aimass.infra.database import Change
from aimass.kernel.errors import Unauthenticated
from aimass.kernel.ids import new_id
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal
from aimass.kernel.usecase import PUBLIC, use_case


class Signing(Part):
    """Makes and reads signed tokens."""

    @use_case("GET /access/jwks", permission=PUBLIC)
    def jwks(self, who: Principal) -> dict[str, Any]:
        """Return the public keys that verify our tokens, as a JWK set."""
        del who
        return self._ground.token_keys.jwks()

    @use_case("GET /access/token-keys", permission="access.read", cli="token-keys list")
    def list_token_keys(self, who: Principal) -> list[TokenKey]:
        """List the keys that sign tokens, the current one first."""
        del who
        found = self._ground.token_keys.all()
        return [TokenKey(id=key, made_at=at, current=not place) for place, (key, at) in enumerate(found)]

    @use_case("POST /access/token-keys", permission="access.manage", cli="token-keys rotate", status=201)
    def rotate_token_key(self, who: Principal, command: RotateTokenKey) -> TokenKey:
        """Sign new tokens with a new key; those of the old keys count to their end, unless these leaked."""
        self._rotate(who, is_leaked=command.leaked)
        return self.list_token_keys(SYSTEM)[0]

    def renew_token_key(self) -> None:
        """Rotate the key when its time has come, and destroy the private half of the one before."""
        keys = self._ground.token_keys
        keys.retire()
        days = self._settings.token_key_days
        if days and self._now() - keys.made_at() >= timedelta(days=days):
            self._rotate(SYSTEM, is_leaked=False)

    def published_tokens(self) -> PublishedTokens:
        """Return what the data plane needs to check tokens."""
        keys = {one["kid"]: one["x"] for one in self._ground.token_keys.jwks()["keys"]}
        with self._database.read() as conn:
            revoked = queries.revoked_tokens_at(conn, self._now())
        return PublishedTokens(issuer=self.token_issuer, keys=keys, revoked=revoked)

    @property
    def token_issuer(self) -> str:
        """The issuer of tokens: the address of the platform."""
        return self._settings.public_url.rstrip("/")

    def _rotate(self, who: Principal, *, is_leaked: bool) -> None:
        key = self._ground.token_keys.rotate(is_leaked=is_leaked)
        with self._change(who, ANYWHERE) as change:
            change.audit("access.token_key.rotate", object_=f"signing_key:{key}", detail={"leaked": is_leaked})
            change.event("access.token_key.rotated", subject=f"signing_key:{key}", data={"leaked": is_leaked})

    def _signed(self, subject: str, via: str, **more: Any) -> str:
        """Return a token of somebody; ``via`` is the session or key behind it."""
        now = int(self._now().timestamp())
        times = {"iat": now, "exp": now + self._settings.token_s, "jti": new_id()}
        claims = {"iss": self.token_issuer, "aud": self.token_issuer, "sub": subject, "via": via, **times, **more}
        private = OKPKey.import_key(self._ground.token_keys.jwk())
        header = {"alg": ALGORITHM, "typ": "at+jwt", "kid": private.kid}
        return jwt.encode(header, claims, private, algorithms=[ALGORITHM])

    def _claims(self, text: str) -> dict[str, Any]:
        """Return the claims of a token of ours that has not ended."""
        try:
            public = KeySet.import_key_set(self._ground.token_keys.jwks())  # pyright: ignore[reportArgumentType]
            claims = jwt.decode(text, public, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError, KeyError) as reason:
            raise Unauthenticated("the token is not ours", hint="sign in again") from reason
        if claims.get("iss") != self.token_issuer or claims.get("exp", 0) <= self._now().timestamp():
            raise Unauthenticated("the token has expired", hint="sign in again")
        return claims

    def _need_unrevoked(self, conn: Any, jti: str) -> None:
        if rows.find(conn, revoked_tokens, jti=jti):
            raise Unauthenticated("the token was revoked", hint="ask for a new one")

    def _take_back(self, change: Change, claims: dict[str, Any]) -> None:
        """Remember until its end that a token was revoked."""
        jti = str(claims["jti"])
        if rows.find(change.conn, revoked_tokens, jti=jti) is None:
            end = datetime.fromtimestamp(claims["exp"], UTC)
            rows.add(change.conn, revoked_tokens, jti=jti, expires_at=end)
        detail = {"subject": claims.get("sub"), "via": claims.get("via")}
        change.audit("access.token.revoke", object_=f"token:{jti}", detail=detail)
        change.event("access.token.revoked", subject=f"token:{jti}")
