"""Getting in and out: sign in, sign out, invitation, lost password."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse

from aimass.access.domain.people import ForgotPassword, SignedIn, SignIn, SignOut, UseLink
from aimass.access.errors import LinkSpent, LockedOut, SecondFactorNeeded, SignInSpent
from aimass.access.service.access import Access
from aimass.kernel.errors import AimassError, Invalid, TooMany, Unauthenticated
from aimass.kernel.principal import ANONYMOUS
from aimass.web import Console, end_session, page_router, session_of, start_session

router = page_router()
Text = Annotated[str, Form()]
KINDS = {"accept": "invitation", "reset": "reset"}
ENTERED = "/"
OIDC_COOKIE, OIDC_LIFE_S = "aimass_oidc", 600


@router.get("/login")
def login(request: Request, next: str = ENTERED) -> Response:  # noqa: A002 the name in the address
    """Show the form to sign in.

    The question: is this our platform, and how do I get in?
    """
    console = _console(request)
    if console.who(request).kind != "anonymous":
        return RedirectResponse(_local(next), 303)
    first = _access(request).is_untouched()
    return console.render(
        request, "access/login.html", next=_local(next), is_first=first, providers=_access(request).offered()
    )


@router.post("/login")
def sign_in(request: Request, name: Text, password: Text, totp: Text = "", next: Text = ENTERED) -> Response:  # noqa: A002
    """Let a person in, or say at the field what is wrong."""
    wish = SignIn(name=name, password=password, totp=totp or None, agent=_agent(request))
    try:
        signed_in = _access(request).sign_in(ANONYMOUS, wish)
    except (Unauthenticated, TooMany) as error:
        raise _refusal(request, error) from error
    return _enter(request, signed_in, _local(next))


@router.post("/logout")
def sign_out(request: Request) -> Response:
    """End this session."""
    token = session_of(request, _console(request).signer)
    address = _access(request).logout_address(token) if token else None
    if token:
        _access(request).sign_out(ANONYMOUS, SignOut(token=token))
    response = _to(address or "/login")
    end_session(response)
    return response


@router.get("/forgot")
def forgot(request: Request) -> Response:
    """Help who lost the password.

    The question: I lost my password: what do I do now?
    """
    return _console(request).render(request, "access/forgot.html")


@router.post("/forgot")
def ask_for_link(request: Request, name: Text) -> Response:
    """Note the loss; the answer is the same for a name that nobody has."""
    _access(request).forgot_password(ANONYMOUS, ForgotPassword(name=name))
    return _console(request).render(request, "access/_forgotten.html")


@router.get("/accept/{token}", name="accept")
@router.get("/reset/{token}", name="reset")
def open_link(request: Request, token: str) -> Response:
    """Show the form behind an invitation or a reset link.

    The question: whose account is this, and what must my new password look like?
    """
    console, door = _console(request), request.url.path.split("/")[1]
    try:
        person = _access(request).person_of_link(KINDS[door], token)
    except LinkSpent:
        return console.render(request, "access/link_spent.html", status=410, door=door)
    return console.render(request, "access/new_password.html", door=door, token=token, person=person)


@router.post("/accept/{token}", name="accepted")
@router.post("/reset/{token}", name="was_reset")
def use_link(request: Request, token: str, password: Text, again: Text) -> Response:
    """Set the password and let the person in; one with an authenticator signs in with its code."""
    access, door = _access(request), request.url.path.split("/")[1]
    if password != again:
        say = partial(_console(request).say, request)
        raise Invalid(say("The two passwords differ"), field="again")
    use = access.accept_invitation if door == "accept" else access.reset_password
    person = use(ANONYMOUS, UseLink(token=token, password=password))
    try:
        wish = SignIn(name=person.name, password=password, agent=_agent(request))
        return _enter(request, access.sign_in(ANONYMOUS, wish), ENTERED)
    except SecondFactorNeeded:
        return _to("/login")


@router.get("/oidc/{provider}/start")
def depart(request: Request, provider: str, next: str = ENTERED) -> Response:  # noqa: A002 the name in the address
    """Go to the identity provider to sign in."""
    try:
        departure = _access(request).depart(provider, _local(next))
    except AimassError as error:
        return _not_in(request, error, provider)
    console, response = _console(request), RedirectResponse(departure.url, 303)
    value = console.signer.sign("oidc", departure.state)
    secure = console.is_secure(request)
    response.set_cookie(
        OIDC_COOKIE, value, max_age=OIDC_LIFE_S, httponly=True, samesite="lax", secure=secure, path="/oidc"
    )
    return response


@router.get("/oidc/{provider}/callback")
def arrive(request: Request, provider: str, code: str = "", state: str = "", error: str = "") -> Response:
    """Come back from the identity provider."""
    console = _console(request)
    try:
        if not state or console.signer.read("oidc", request.cookies.get(OIDC_COOKIE)) != state:
            raise SignInSpent(hint="sign in again")
        if error or not code:
            raise Unauthenticated(f"the identity provider refuses: {error[:80] or 'no code'}", hint="sign in again")
        arrival = _access(request).arrive(provider, state, code, _agent(request))
    except AimassError as reason:
        return _not_in(request, reason, provider)
    response = _with_session(request, RedirectResponse(_local(arrival.next), 303), arrival.signed_in)
    response.delete_cookie(OIDC_COOKIE, path="/oidc")
    return response


def _not_in(request: Request, error: AimassError, provider: str) -> Response:
    """Say why a sign-in at a provider did not work, and what to do."""
    console = _console(request)
    return console.render(request, "access/not_in.html", status=error.status, error=error.problem(), provider=provider)


def _console(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


def _access(request: Request) -> Access:
    return _console(request).setup.registry.get(Access)


def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")[:255]


def _local(address: str) -> str:
    """Return an address of this platform; a foreign one becomes the start page.

    A browser leaves tabs and ends of lines out, so that ``/<tab>/host`` is foreign too.
    """
    own = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if own else ENTERED


def _to(address: str) -> Response:
    return Response(status_code=204, headers={"HX-Redirect": address})


def _enter(request: Request, signed_in: SignedIn, address: str) -> Response:
    return _with_session(request, _to(address), signed_in)


def _with_session(request: Request, response: Response, signed_in: SignedIn) -> Response:
    console = _console(request)
    life = int((signed_in.expires_at - console.setup.clock.now()).total_seconds())
    secure = console.is_secure(request)
    start_session(response, console.signer, signed_in.token, secure=secure, max_age_s=life)
    return response


def _refusal(request: Request, error: AimassError) -> AimassError:
    """Return the same refusal in the visitor's language, at the field where it helps."""
    say = partial(_console(request).say, request)
    if isinstance(error, LockedOut):
        wait = say("Too many wrong attempts. Try again in %(n)d s.", n=error.retry_after_s)
        return TooMany(wait, field="password", value=error.retry_after_s)
    if isinstance(error, SecondFactorNeeded):
        return Invalid(say("Now the code that your authenticator shows."), field="totp")
    if error.field == "totp":
        return Invalid(say("The code is wrong, or was used already. Wait for the next one."), field="totp")
    return Invalid(say("Name or password is wrong."), field="password")
