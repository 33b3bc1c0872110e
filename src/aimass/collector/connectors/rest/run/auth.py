"""Who asks: what a request carries for the API's own host, and for no other."""

from __future__ import annotations

import base64
import time
from typing import Any

import httpx2
import orjson

from aimass.collector.connectors.rest.manifest import RestParameters
from aimass.kernel.errors import Forbidden, Unavailable

EARLY_S = 30.0  # a token is renewed so long before it ends
USUAL_S = 300.0
REFUSED = (400, 401, 403)
OK = 200
MOST_BYTES = 64 * 1024


class Auth:
    """Adds what authorizes a request; renews the tokens of oauth2."""

    def __init__(self, told: RestParameters, http: httpx2.Client) -> None:
        self._told = told
        self._http = http
        self._token = ""
        self._ends = 0.0
        self.secret = told.secret.get_secret_value() if told.secret else ""

    def headers(self) -> dict[str, str]:
        """Return the headers that authorize."""
        told = self._told
        if told.auth == "bearer":
            return {"Authorization": f"Bearer {self.secret}"}
        if told.auth == "basic":
            pair = base64.b64encode(f"{told.user}:{self.secret}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        if told.auth == "header":
            return {str(told.key_name): self.secret}
        if told.auth == "oauth2":
            return {"Authorization": f"Bearer {self._valid()}"}
        return {}

    def params(self) -> dict[str, str]:
        """Return the query parameters that authorize."""
        return {str(self._told.key_name): self.secret} if self._told.auth == "query" else {}

    def can_renew(self) -> bool:
        """Forget a token that was refused; tell whether another can be had."""
        is_fresh = not self._token
        self._token = ""
        return self._told.auth == "oauth2" and not is_fresh

    def _valid(self) -> str:
        if not self._token or time.monotonic() > self._ends:
            answer = self._ask()
            self._token = str(answer["access_token"])
            self._ends = time.monotonic() + max(_seconds(answer.get("expires_in")) - EARLY_S, 1.0)
        return self._token

    def _ask(self) -> dict[str, Any]:
        told = self._told
        form = {"grant_type": "client_credentials", **({"scope": told.scope} if told.scope else {})}
        try:
            who = (str(told.client_id), self.secret)
            with self._http.stream("POST", str(told.token_url), data=form, auth=who, follow_redirects=False) as answer:
                body = orjson.loads(head_of(answer)) if answer.status_code == OK else {}
        except (httpx2.HTTPError, ValueError) as reason:
            raise Unavailable(
                f"no token from {told.token_url!r}: {type(reason).__name__}", field="token_url", value=told.token_url
            ) from None
        if answer.status_code in REFUSED:
            raise Forbidden("the token address refused the client", field="secret")
        if not isinstance(body, dict) or not body.get("access_token"):
            raise Unavailable(
                f"no token from {told.token_url!r}: status {answer.status_code}",
                field="token_url",
                value=told.token_url,
            )
        return body


def _seconds(told: Any) -> float:
    try:
        return float(told or USUAL_S)
    except (TypeError, ValueError):
        return USUAL_S


def head_of(answer: httpx2.Response) -> bytes:
    """Return the beginning of an answer that is no page of rows: nothing says that it ends."""
    held = bytearray()
    for piece in answer.iter_bytes():
        held += piece
        if len(held) >= MOST_BYTES:
            break
    return bytes(held[:MOST_BYTES])
