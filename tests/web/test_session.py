from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from aimass.web import end_session, session_of, start_session
from aimass.web.session import SESSION_COOKIE, Signer

SIGNER = Signer(secret=b"k" * 32)


def _client() -> TestClient:
    app = FastAPI()

    @app.get("/in")
    def sign_in(response: Response) -> None:
        start_session(response, SIGNER, "01HSESSION", secure=False, max_age_s=60)

    @app.get("/out")
    def sign_out(response: Response) -> None:
        end_session(response)

    @app.get("/who")
    def who(request: Request) -> str | None:
        return session_of(request, SIGNER)

    return TestClient(app)


def test_a_session_lasts_until_it_is_ended():
    client = _client()
    assert client.get("/who").json() is None
    given_cookie = client.get("/in").headers["set-cookie"]
    assert "HttpOnly" in given_cookie
    assert "SameSite=lax" in given_cookie
    assert client.get("/who").json() == "01HSESSION"
    client.get("/out")
    assert client.get("/who").json() is None


def test_a_session_that_was_tampered_with_is_none():
    client = _client()
    client.get("/in")
    forged = client.cookies[SESSION_COOKIE].replace("01HSESSION", "01HOTHER")
    client.cookies.clear()
    client.cookies.set(SESSION_COOKIE, forged)
    assert client.get("/who").json() is None


@given(text=st.text(min_size=1), other=st.binary(min_size=32, max_size=32))
def test_only_the_own_secret_and_purpose_read_a_signature(text, other):
    signed = SIGNER.sign("session", text)
    assert SIGNER.read("session", signed) == text
    assert SIGNER.read("csrf", signed) is None
    assert other == SIGNER.secret or Signer(secret=other).read("session", signed) is None
