"""Letters and calls to the outside: mail over SMTP and signed webhooks, kept in an outbox until they are delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.notify.addresses import AddressGuard, Target
    from aimass.infra.notify.messages import Mail, Webhook
    from aimass.infra.notify.notify import Delivery, Notify
    from aimass.infra.notify.settings import NotifySettings
    from aimass.infra.notify.webhook import verify_signature

__getattr__, __dir__ = door(
    __name__,
    {
        "AddressGuard": "aimass.infra.notify.addresses",
        "Delivery": "aimass.infra.notify.notify",
        "Mail": "aimass.infra.notify.messages",
        "Notify": "aimass.infra.notify.notify",
        "NotifySettings": "aimass.infra.notify.settings",
        "Target": "aimass.infra.notify.addresses",
        "Webhook": "aimass.infra.notify.messages",
        "verify_signature": "aimass.infra.notify.webhook",
    },
)
__all__ = ["AddressGuard", "Delivery", "Mail", "Notify", "NotifySettings", "Target", "Webhook", "verify_signature"]
