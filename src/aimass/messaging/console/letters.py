"""Dead letters: what no reader could digest, why, and trying again."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Form, Response

from aimass.messaging.domain.subscriptions import DeadLetterId, ListDeadLetters, SettleDeadLetters
from aimass.messaging.service import Messaging
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/operate/dead-letters"


@router.get(PATH)
def letters(visit: Visit, topic: str = "", subscription: str = "", cursor: str | None = None) -> Response:
    """List the dead letters.

    The question: which messages could nobody digest, why, and may I try again?
    """
    wish = ListDeadLetters(
        workspace=visit.workspace, topic=topic or None, subscription=subscription or None, cursor=cursor
    )
    found = visit.get(Messaging).list_dead_letters(visit.who, wish)
    parts, more = {"letters": "messaging/_letters.html"}, {"topic_name": topic, "subscription": subscription}
    return visit.render("messaging/letters.html", parts=parts, letters=found, **more)


@router.get(f"{PATH}/{{letter}}")
def letter(visit: Visit, letter: str) -> Response:
    """Show one dead letter.

    The question: what exactly was in it, and what did its reader say?
    """
    found = visit.get(Messaging).get_dead_letter(visit.who, DeadLetterId(workspace=visit.workspace, letter=letter))
    return visit.render("messaging/letter.html", letter=found)


@router.post(f"{PATH}/{{deed}}")
def settle(
    visit: Visit,
    deed: Literal["replay", "purge"],
    topic: Annotated[str, Form()],
    subscription: Annotated[str, Form()],
    letter: Annotated[str, Form()] = "",
) -> Response:
    """Deliver dead letters again, or let them go: one, or all of a subscription."""
    wish = SettleDeadLetters(
        workspace=visit.workspace, topic=topic, subscription=subscription, letters=[letter] if letter else []
    )
    messaging = visit.get(Messaging)
    done = (messaging.replay_dead_letters if deed == "replay" else messaging.purge_dead_letters)(visit.who, wish)
    if deed == "replay":
        text = visit.say("%(n)d are delivered again", n=done.count)
    else:
        text = visit.say("%(n)d are gone", n=done.count)
    return visit.go(f"/{visit.workspace}/operate/dead-letters", toast=text) if letter else visit.done(text)
