"""Mail and webhooks against real servers on this machine."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_string, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import select

from aimass.infra.database import Database, metadata
from aimass.infra.notify import AddressGuard, Mail, Notify, NotifySettings, Webhook, verify_signature
from aimass.infra.secrets import KeyFileSecrets
from aimass.kernel.errors import Conflict, Invalid, Unavailable
from aimass.kernel.principal import SYSTEM


@dataclass
class Hand:
    moment: datetime = field(default_factory=lambda: datetime(2026, 5, 1, 12, 0, tzinfo=UTC))

    def now(self) -> datetime:
        return self.moment

    def forward(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class Mailbox(socketserver.StreamRequestHandler):
    """Speaks as much SMTP as a client needs (RFC 5321), and keeps the letters."""

    def handle(self) -> None:
        server: MailServer = self.server  # type: ignore[assignment]
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.split(" ")[0].upper()
            if word == "DATA":
                self.say("354 go on")
                letter = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    letter += part.removeprefix(b".") if part.startswith(b"..") else part
                server.letters.append(letter.decode())
                self.say("250 kept")
            elif word == "QUIT":
                self.say("221 bye")
                return
            elif word == "RCPT" and server.refusals:
                self.say(server.refusals.pop(0))
            else:
                self.say("250 fine")

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Mailbox)
        self.letters: list[str] = []
        self.refusals: list[str] = []


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: HookServer = self.server  # type: ignore[assignment]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.calls.append((self.path, dict(self.headers), body))
        status = server.answers.pop(0) if server.answers else 200
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


class HookServer(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.calls: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?a=1"


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    yield from _serve(MailServer())


@pytest.fixture
def hook_server() -> Iterator[HookServer]:
    yield from _serve(HookServer())


def _serve(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def database(tmp_path: Path, clock: Hand) -> Iterator[Database]:
    database = Database.file(tmp_path / "aimass.db", clock)
    metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def notify(database: Database, tmp_path: Path, mail_server: MailServer) -> Notify:
    settings = NotifySettings(
        smtp_host="127.0.0.1",
        smtp_port=mail_server.server_address[1],
        smtp_security="none",
        mail_from="aimass@corp.example",
        allow=["127.0.0.0/8"],
        timeout_s=5,
        tries=3,
    )
    return Notify(database, KeyFileSecrets(tmp_path / "keys" / "secrets.json"), settings)


def post(database: Database, notify: Notify, message: Mail | Webhook) -> str:
    with database.change(SYSTEM, "demo") as change:
        return notify.post(change, message)


LETTER = Mail(to="eve@corp.example", subject="邀请 😀", text="Hello\n.\nhttps://x/accept/ail_secret\n")


def test_a_letter_arrives_whole_and_once(database: Database, notify: Notify, mail_server: MailServer) -> None:
    id_ = post(database, notify, LETTER)
    assert (notify.deliver_due(), notify.deliver_due()) == (1, 0)
    letter = message_from_string(mail_server.letters[0], policy=policy.default)
    assert (letter["To"], letter["From"], letter["Subject"]) == (LETTER.to, "aimass@corp.example", LETTER.subject)
    assert letter.get_content().replace("\r\n", "\n") == LETTER.text
    assert id_ in letter["Message-ID"]
    assert [(d.state, d.kind, d.workspace) for d in notify.list()] == [("sent", "mail", "demo")]


def test_what_was_rolled_back_is_never_sent(database: Database, notify: Notify, mail_server: MailServer) -> None:
    with suppress(ZeroDivisionError), database.change(SYSTEM, "demo") as change:
        notify.post(change, LETTER)
        1 / 0  # noqa: B018
    assert notify.deliver_due() == 0
    assert mail_server.letters == []


def test_a_waiting_letter_is_sealed_and_a_sent_one_is_gone(database: Database, notify: Notify) -> None:
    post(database, notify, LETTER)

    def held() -> bytes:
        with database.read() as conn:
            return repr(conn.execute(select(metadata.tables["notify_outbox"])).all()).encode()

    assert b"ail_secret" not in held()
    assert b"eve@" not in held()
    notify.deliver_due()
    assert b"None" in held()


def test_a_busy_mail_server_is_tried_again_later(
    database: Database, notify: Notify, mail_server: MailServer, clock: Hand
) -> None:
    mail_server.refusals = ["451 later", "451 later"]
    post(database, notify, LETTER)
    for wait in (10, 20):
        assert notify.deliver_due() == 0
        assert notify.list()[0].state == "waiting"
        clock.forward(wait - 1)
        assert notify.deliver_due() == 0
        clock.forward(1)
    assert notify.deliver_due() == 1
    assert len(mail_server.letters) == 1


def test_a_refused_recipient_is_given_up_in_the_open(
    database: Database, notify: Notify, mail_server: MailServer
) -> None:
    mail_server.refusals = ["550 nobody here"]
    post(database, notify, LETTER)
    assert notify.deliver_due() == 0
    given_up = notify.list()[0]
    assert (given_up.state, given_up.tries) == ("given_up", 1)
    assert "refuses" in given_up.error
    with database.read() as conn:
        assert conn.execute(select(metadata.tables["audit_log"].c.action)).scalar_one() == "notify.give_up"


def test_a_server_that_is_down_is_given_up_after_all_tries(database: Database, tmp_path: Path, clock: Hand) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = NotifySettings(smtp_host="127.0.0.1", smtp_port=port, smtp_security="none", tries=2)
    notify = Notify(database, KeyFileSecrets(tmp_path / "secrets.json"), settings)
    post(database, notify, LETTER)
    for _ in range(5):
        notify.deliver_due()
        clock.forward(3600)
    assert [(d.state, d.tries) for d in notify.list()] == [("given_up", 2)]


def test_a_line_break_in_an_address_is_refused(notify: Notify, mail_server: MailServer) -> None:
    with pytest.raises(Invalid):
        notify.send(Mail(to="a@b.example\r\nBcc: c@d.example", subject="s", text="t"))
    assert mail_server.letters == []


def test_without_a_mail_server_the_button_says_so(database: Database, tmp_path: Path) -> None:
    notify = Notify(database, KeyFileSecrets(tmp_path / "secrets.json"), NotifySettings())
    assert not notify.can_mail
    with pytest.raises(Conflict, match="mail server"):
        notify.send(LETTER)


def test_a_webhook_is_signed_and_carries_its_id(
    database: Database, notify: Notify, hook_server: HookServer, clock: Hand
) -> None:
    id_ = post(database, notify, Webhook(url=hook_server.url, body={"alert": "漂移", "n": 1}, secret="s3cret"))
    assert notify.deliver_due() == 1
    path, headers, body = hook_server.calls[0]
    assert path == "/hook?a=1"
    assert headers["X-AIMass-Delivery"] == id_
    now = clock.now().timestamp()
    assert verify_signature("s3cret", headers["X-AIMass-Signature"], body, now)
    assert not verify_signature("s3cret", headers["X-AIMass-Signature"], body + b" ", now)
    assert not verify_signature("other", headers["X-AIMass-Signature"], body, now)
    assert not verify_signature("s3cret", headers["X-AIMass-Signature"], body, now + 301)


@pytest.mark.parametrize(
    ("answer", "error"), [(500, Unavailable), (503, Unavailable), (429, Unavailable), (404, Invalid)]
)
def test_an_answer_tells_whether_to_try_again(
    notify: Notify, hook_server: HookServer, answer: int, error: type[Exception]
) -> None:
    hook_server.answers = [answer]
    with pytest.raises(error, match=str(answer)):
        notify.send(Webhook(url=hook_server.url, body={}))


def test_a_redirect_is_not_followed(notify: Notify, hook_server: HookServer) -> None:
    hook_server.answers = [302]
    with pytest.raises(Invalid, match="302"):
        notify.send(Webhook(url=hook_server.url, body={}))
    assert len(hook_server.calls) == 1


def test_an_address_inside_is_refused_unless_it_is_listed(
    database: Database, tmp_path: Path, hook_server: HookServer
) -> None:
    notify = Notify(database, KeyFileSecrets(tmp_path / "secrets.json"), NotifySettings())
    with pytest.raises(Invalid, match="inside"):
        notify.send(Webhook(url=hook_server.url, body={}))
    with pytest.raises(Invalid, match="inside"):
        notify.send(Webhook(url=hook_server.url.replace("127.0.0.1", "localhost"), body={}))
    assert hook_server.calls == []
    listed = Notify(database, KeyFileSecrets(tmp_path / "secrets.json"), NotifySettings(allow=["127.0.0.1"]))
    listed.send(Webhook(url=hook_server.url, body={}))
    assert len(hook_server.calls) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.8/",
        "http://192.168.1.1/",
        "http://172.16.0.1/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[fd00::1]/",
        "http://[fe80::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:7f00:1::]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://224.0.0.1/",
        "ftp://8.8.8.8/",
        "http:///x",
        "http://user:pw@8.8.8.8/",
        "http://8.8.8.8:99999/",
        "file:///etc/passwd",
        "gopher://8.8.8.8/",
    ],
)
def test_addresses_inside_and_odd_ones_are_refused(url: str) -> None:
    with pytest.raises((Invalid, Unavailable)) as caught:
        AddressGuard().check(url)
    assert "pw" not in str(caught.value.problem())


def test_the_checked_address_is_the_one_that_is_called(
    monkeypatch: pytest.MonkeyPatch, hook_server: HookServer
) -> None:
    """A name that changes its address after the check (DNS rebinding) gains nothing: it is resolved once."""
    answers = [[(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 80))]]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers.pop())
    target = AddressGuard().check("https://hooks.example/x")
    assert target.connect_url == "https://8.8.8.8:443/x"
    assert target.host_header == "hooks.example"
    assert answers == []


def test_a_name_with_one_address_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("8.8.8.8", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(Invalid, match="inside"):
        AddressGuard().check("http://hooks.example/")
    assert AddressGuard(["HOOKS.example"]).check("http://hooks.example/").address == "8.8.8.8"


def test_two_deliverers_send_a_message_once(database: Database, notify: Notify, mail_server: MailServer) -> None:
    for number in range(10):
        post(database, notify, Mail(to=f"p{number}@corp.example", subject="s", text="t"))
    threads = [threading.Thread(target=notify.deliver_due) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mail_server.letters) == 10


def test_old_deliveries_leave_the_list(database: Database, notify: Notify, clock: Hand) -> None:
    post(database, notify, LETTER)
    notify.deliver_due()
    clock.forward(8 * 86400)
    post(database, notify, LETTER)
    notify.deliver_due()
    assert len(notify.list()) == 1
