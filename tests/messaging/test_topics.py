from __future__ import annotations

from datetime import timedelta

import pytest

from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Stale, TooLarge
from aimass.kernel.principal import Grant, Principal
from aimass.messaging import (
    ChangeTopic,
    CreateTopic,
    ListMessages,
    ListTopics,
    NewMessage,
    PublishMessages,
    TopicInUse,
    TopicName,
)

ORDERS = TopicName(workspace="demo", topic="orders")


def test_messages_are_kept_in_order_with_key_headers_and_time(desk, clock) -> None:
    desk.topic()
    desk.publish({"客户": "😀"}, key="k", headers={"a": "b"})
    desk.publish([1, None])
    kept = desk.service.list_messages(desk.who, ListMessages(workspace="demo", topic="orders")).items
    assert [(m.body, m.key, m.headers, m.time) for m in kept] == [
        ({"客户": "😀"}, "k", {"a": "b"}, clock.now()),
        ([1, None], "", {}, clock.now()),
    ]
    topic = desk.service.get_topic(desk.who, ORDERS)
    assert (topic.messages, topic.last_seq) == (2, kept[-1].seq)


def test_messages_are_listed_in_pages_and_since_a_moment(desk, clock) -> None:
    desk.topic()
    desk.publish(1, 2)
    clock.move(hours=1)
    desk.publish(3)
    page = desk.service.list_messages(desk.who, ListMessages(workspace="demo", topic="orders", limit=2))
    rest = desk.service.list_messages(desk.who, ListMessages(workspace="demo", topic="orders", cursor=page.next))
    since = ListMessages(workspace="demo", topic="orders", since=clock.now() - timedelta(minutes=1))
    assert [m.body for m in rest.items] == [m.body for m in desk.service.list_messages(desk.who, since).items] == [3]


def test_one_id_is_one_message(desk) -> None:
    desk.topic()
    wish = PublishMessages(workspace="demo", topic="orders", messages=[NewMessage(body=1, id="order-1")])
    first, second = desk.service.publish(desk.who, wish)[0], desk.service.publish(desk.who, wish)[0]
    assert (first.seq, first.is_new, second.is_new) == (second.seq, True, False)


def test_a_batch_is_published_whole_or_not_at_all(desk) -> None:
    desk.topic()
    with pytest.raises(TooLarge):
        desk.publish("small", "x" * 300_000)
    with pytest.raises(Invalid, match="no JSON"):
        desk.publish("small", float("nan"))
    assert desk.service.get_topic(desk.who, ORDERS).messages == 0


def test_messages_go_when_their_time_is_over_and_numbers_never_come_again(desk, clock) -> None:
    desk.topic(retention_h=1)
    old = desk.publish(1)
    clock.move(hours=2)
    assert desk.service.retain() == 1
    assert desk.service.retain() == 0
    assert desk.publish(2) > old
    assert desk.service.get_topic(desk.who, ORDERS).messages == 1


def test_a_topic_is_changed_listed_and_deleted(desk) -> None:
    desk.topic()
    desk.topic("alarms")
    wish = ChangeTopic(workspace="demo", topic="orders", title="Orders", expected_version=1)
    assert desk.service.change_topic(desk.who, wish).title == "Orders"
    with pytest.raises(Stale):
        desk.service.change_topic(desk.who, wish)
    desk.service.delete_topic(desk.who, ORDERS)
    assert [t.topic for t in desk.service.list_topics(desk.who, ListTopics(workspace="demo")).items] == ["alarms"]
    with pytest.raises(NotFound):
        desk.service.get_topic(desk.who, ORDERS)


def test_a_topic_with_readers_is_not_deleted(desk) -> None:
    desk.topic()
    desk.subscribe()
    with pytest.raises(TopicInUse):
        desk.service.delete_topic(desk.who, ORDERS)


@pytest.mark.parametrize("slug", ["A b", "", "客户", "x" * 64])
def test_a_topic_name_that_is_no_slug_is_refused(desk, slug: str) -> None:
    with pytest.raises(Invalid):
        desk.topic(slug)


def test_a_topic_exists_once(desk) -> None:
    desk.topic()
    with pytest.raises(Conflict):
        desk.topic()


def test_readers_may_not_publish_and_strangers_see_no_workspace(desk) -> None:
    desk.topic()
    reader = Principal(
        id="r", name="r", kind="user", grants=(Grant(workspace="demo", permissions=frozenset({"messaging.read"})),)
    )
    with pytest.raises(Forbidden):
        desk.service.publish(reader, PublishMessages(workspace="demo", topic="orders", messages=[NewMessage(body=1)]))
    with pytest.raises(NotFound):
        desk.service.create_topic(reader, CreateTopic(workspace="other", topic="x"))
