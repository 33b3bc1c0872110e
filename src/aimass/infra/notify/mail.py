"""Send a letter over SMTP."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from aimass.infra.notify.messages import Mail
from aimass.infra.notify.settings import NotifySettings
from aimass.kernel.clock import Clock
from aimass.kernel.errors import AimassError, Invalid, Unavailable

_FOR_EVER = 500  # RFC 5321: 4yz may be tried again, 5yz not


def send_mail(settings: NotifySettings, clock: Clock, id_: str, mail: Mail) -> None:
    """Hand a letter to the mail server; raise ``Unavailable`` when it may be tried again, ``Invalid`` when not."""
    letter = _letter(settings, clock, id_, mail)
    try:
        with _connect(settings) as server:
            server.send_message(letter)
    except smtplib.SMTPRecipientsRefused as reason:
        code = max(answer[0] for answer in reason.recipients.values())
        raise _refusal(code)(f"the mail server refuses the recipient: {code}") from reason
    except smtplib.SMTPResponseException as reason:
        raise _refusal(reason.smtp_code)(f"the mail server answers {reason.smtp_code}") from reason
    except (OSError, smtplib.SMTPException) as reason:
        raise Unavailable(f"the mail server cannot be reached: {type(reason).__name__}") from reason


def _refusal(code: int) -> type[AimassError]:
    return Invalid if code >= _FOR_EVER else Unavailable


def _connect(settings: NotifySettings) -> smtplib.SMTP:
    trusted = ssl.create_default_context()
    where = (settings.smtp_host, settings.smtp_port)
    if settings.smtp_security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(*where, timeout=settings.timeout_s, context=trusted)
    else:
        server = smtplib.SMTP(*where, timeout=settings.timeout_s)
    try:
        if settings.smtp_security == "starttls":
            server.starttls(context=trusted)
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
    except (OSError, smtplib.SMTPException):
        server.close()
        raise
    return server


def _letter(settings: NotifySettings, clock: Clock, id_: str, mail: Mail) -> EmailMessage:
    letter = EmailMessage()
    try:
        letter["From"], letter["To"], letter["Subject"] = settings.mail_from, mail.to, mail.subject
    except ValueError as reason:  # a line break in a header
        raise Invalid("address or subject of the letter is not allowed") from reason
    letter["Date"] = formatdate(clock.now().timestamp())
    letter["Message-ID"] = make_msgid(idstring=id_, domain=settings.mail_from.rpartition("@")[2] or "localhost")
    letter.set_content(mail.text)
    return letter
