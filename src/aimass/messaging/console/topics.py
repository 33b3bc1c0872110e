"""Queues: topics with their readers, and one topic with its subscriptions and messages."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import Form, Response

from aimass.messaging.console.forms import json_of
from aimass.messaging.domain.subscriptions import (
    CreateSubscription,
    ListDeadLetters,
    ListSubscriptions,
    SeekSubscription,
    Subscription,
    SubscriptionName,
)
from aimass.messaging.domain.topics import (
    ChangeTopic,
    CreateTopic,
    ListMessages,
    ListTopics,
    NewMessage,
    PublishMessages,
    TopicName,
)
from aimass.messaging.service import Messaging
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/operate/queues"
ONE = f"{PATH}/{{topic}}"
READER = f"{ONE}/subscriptions/{{subscription}}"
MOST = 200
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "all": None}


@router.get(PATH)
def topics(visit: Visit, cursor: str | None = None) -> Response:
    """List the topics.

    The question: does every reader keep up, and did a message die?
    """
    page = visit.get(Messaging).list_topics(visit.who, ListTopics(workspace=visit.workspace, cursor=cursor))
    found = [(topic, _readers(visit, topic.topic)) for topic in page.items]
    return visit.render(
        "messaging/topics.html", parts={"topics": "messaging/_topics.html"}, found=found, next=page.next
    )


@router.post(PATH)
def create(
    visit: Visit,
    topic: Annotated[str, Form()],
    title: Annotated[str, Form()] = "",
    retention_h: Annotated[float, Form()] = 168.0,
) -> Response:
    """Create a topic, then open it."""
    wish = CreateTopic(workspace=visit.workspace, topic=topic, title=title, retention_h=retention_h)
    made = visit.get(Messaging).create_topic(visit.who, wish)
    toast = visit.say("%(name)s was created", name=made.topic)
    return visit.go(f"/{visit.workspace}/operate/queues/{made.topic}", toast=toast)


@router.get(ONE)
def topic(
    visit: Visit,
    topic: str,
    tab: Literal["", "messages", "dead"] = "",
    span: Literal["1h", "24h", "7d", "all"] = "24h",
    cursor: str | None = None,
) -> Response:
    """Show one topic.

    The question: who reads it, how far behind is each, and what is in it?
    """
    service, name = visit.get(Messaging), TopicName(workspace=visit.workspace, topic=topic)
    found, readers = service.get_topic(visit.who, name), _readers(visit, topic)
    more: dict[str, object] = {}
    if tab == "messages":
        back = SPANS[span]
        since = visit.console.setup.clock.now() - back if back else None
        wish = ListMessages(workspace=visit.workspace, topic=topic, since=since, cursor=cursor)
        more = {"messages": service.list_messages(visit.who, wish), "spans": list(SPANS)}
    if tab == "dead":
        more = {
            "letters": service.list_dead_letters(
                visit.who, ListDeadLetters(workspace=visit.workspace, topic=topic, cursor=cursor)
            )
        }
    parts = {"topic": "messaging/_topic.html"}
    return visit.render("messaging/topic.html", parts=parts, topic=found, readers=readers, tab=tab, span=span, **more)


@router.post(f"{ONE}/settings")
def change(
    visit: Visit,
    topic: str,
    version: Annotated[int, Form()],
    title: Annotated[str, Form()],
    retention_h: Annotated[float, Form()],
) -> Response:
    """Change title and retention."""
    wish = ChangeTopic(
        workspace=visit.workspace, topic=topic, title=title, retention_h=retention_h, expected_version=version
    )
    visit.get(Messaging).change_topic(visit.who, wish)
    return visit.go(f"/{visit.workspace}/operate/queues/{topic}", toast=visit.say("The topic was changed"))


@router.delete(ONE)
def delete(visit: Visit, topic: str) -> Response:
    """Delete a topic without subscriptions."""
    visit.get(Messaging).delete_topic(visit.who, TopicName(workspace=visit.workspace, topic=topic))
    return visit.go(f"/{visit.workspace}/operate/queues", toast=visit.say("%(name)s was deleted", name=topic))


@router.post(f"{ONE}/messages")
def publish(visit: Visit, topic: str, body: Annotated[str, Form()], key: Annotated[str, Form()] = "") -> Response:
    """Publish one message."""
    message = NewMessage(body=json_of(visit, body, "body"), key=key)
    wish = PublishMessages(workspace=visit.workspace, topic=topic, messages=[message])
    done = visit.get(Messaging).publish(visit.who, wish)
    toast = visit.say("Message %(n)d is published", n=done[0].seq)
    return visit.go(f"/{visit.workspace}/operate/queues/{topic}?tab=messages", toast=toast)


@router.post(f"{ONE}/subscriptions")
def subscribe(
    visit: Visit,
    topic: str,
    subscription: Annotated[str, Form()],
    start: Annotated[Literal["begin", "end"], Form()] = "end",
    max_tries: Annotated[int, Form()] = 5,
) -> Response:
    """Create a subscription."""
    wish = CreateSubscription(
        workspace=visit.workspace, topic=topic, subscription=subscription, start=start, max_tries=max_tries
    )
    visit.get(Messaging).create_subscription(visit.who, wish)
    toast = visit.say("%(name)s reads this topic now", name=subscription)
    return visit.go(f"/{visit.workspace}/operate/queues/{topic}", toast=toast)


@router.post(f"{READER}/seek")
def seek(visit: Visit, topic: str, subscription: str, to: Annotated[Literal["begin", "end"], Form()]) -> Response:
    """Let a subscription begin again, or skip what waits."""
    wish = SeekSubscription(workspace=visit.workspace, topic=topic, subscription=subscription, to=to)
    visit.get(Messaging).seek_subscription(visit.who, wish)
    return visit.done(visit.say("%(name)s goes on from there", name=subscription))


@router.delete(READER)
def unsubscribe(visit: Visit, topic: str, subscription: str) -> Response:
    """Delete a subscription with its dead letters."""
    wish = SubscriptionName(workspace=visit.workspace, topic=topic, subscription=subscription)
    visit.get(Messaging).delete_subscription(visit.who, wish)
    return visit.done(visit.say("%(name)s was deleted", name=subscription))


def _readers(visit: PageVisit, topic: str) -> list[Subscription]:
    wish = ListSubscriptions(workspace=visit.workspace, topic=topic, limit=MOST)
    return visit.get(Messaging).list_subscriptions(visit.who, wish).items
