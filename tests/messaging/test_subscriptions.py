from __future__ import annotations

import threading

import pytest
from sqlalchemy import select, update

from aimass.infra.database import events_log
from aimass.kernel.errors import Invalid, NotFound
from aimass.messaging import (
    AckMessages,
    DeadLetterId,
    Delivery,
    ListDeadLetters,
    NackMessages,
    PullMessages,
    SeekSubscription,
    SettleDeadLetters,
    Subscription,
    SubscriptionName,
)
from aimass.messaging.store import messages

BILLING = {"workspace": "demo", "topic": "orders", "subscription": "billing"}


def pull(desk, limit: int = 10, **options: object) -> list[Delivery]:
    return desk.service.pull(desk.who, PullMessages(**BILLING, limit=limit, **options))


def ack(desk, *deliveries: Delivery):
    return desk.service.ack(desk.who, AckMessages(**BILLING, receipts=[d.receipt for d in deliveries]))


def nack(desk, *deliveries: Delivery, **options: object):
    return desk.service.nack(desk.who, NackMessages(**BILLING, receipts=[d.receipt for d in deliveries], **options))


def now(desk) -> Subscription:
    return desk.service.get_subscription(desk.who, SubscriptionName(**BILLING))


@pytest.fixture(autouse=True)
def orders(desk) -> None:
    desk.topic()
    desk.subscribe(max_tries=2)


def test_a_message_is_delivered_once_when_acknowledged(desk, clock) -> None:
    desk.publish("a", "b")
    first, second = pull(desk)
    assert (first.body, second.body, first.tries) == ("a", "b", 1)
    assert pull(desk) == []
    assert ack(desk, first, second).count == 2
    clock.move(hours=1)
    assert pull(desk) == []
    assert (now(desk).waiting, now(desk).in_flight) == (0, 0)


def test_a_message_that_nobody_acknowledged_comes_again(desk, clock) -> None:
    desk.publish("a")
    first = pull(desk)[0]
    clock.move(seconds=61)
    again = pull(desk)[0]
    assert (again.body, again.tries) == ("a", 2)
    late = ack(desk, first)
    assert (late.count, late.stale) == (0, [first.receipt])
    assert ack(desk, again).count == 1


def test_a_new_subscription_begins_at_the_end_or_at_the_begin(desk) -> None:
    desk.publish("before")
    desk.subscribe("late")
    desk.subscribe("archive", start="begin")
    late = PullMessages(workspace="demo", topic="orders", subscription="late")
    archive = PullMessages(workspace="demo", topic="orders", subscription="archive")
    assert desk.service.pull(desk.who, late) == []
    assert [d.body for d in desk.service.pull(desk.who, archive)] == ["before"]


def test_messages_of_one_key_come_one_after_the_other(desk, clock) -> None:
    desk.publish("a1", "a2", key="a")
    desk.publish("b1", key="b")
    desk.publish("free")
    first = pull(desk)
    assert [d.body for d in first] == ["a1", "b1", "free"]
    nack(desk, first[0], delay_s=5)
    assert pull(desk) == []
    clock.move(seconds=6)
    again = pull(desk)
    assert [d.body for d in again] == ["a1"]
    ack(desk, *again)
    assert [d.body for d in pull(desk)] == ["a2"]


def test_an_unordered_subscription_delivers_all_at_once(desk) -> None:
    desk.subscribe("any", is_ordered=False)
    desk.publish("a1", "a2", key="a")
    wish = PullMessages(workspace="demo", topic="orders", subscription="any")
    assert [d.body for d in desk.service.pull(desk.who, wish)] == ["a1", "a2"]


def test_a_message_tried_too_often_is_a_dead_letter_and_frees_its_key(desk) -> None:
    desk.publish("bad", "good", key="a")
    for _ in range(2):
        assert nack(desk, *pull(desk), error="no such customer").count == 1
    assert [d.body for d in pull(desk)] == ["good"]
    letter = desk.service.list_dead_letters(desk.who, ListDeadLetters(workspace="demo", topic="orders")).items[0]
    assert (letter.body, letter.tries, letter.error) == ("bad", 2, "no such customer")
    wish = DeadLetterId(workspace="demo", letter=letter.id)
    assert desk.service.get_dead_letter(desk.who, wish) == letter
    with desk.service._database.read() as conn:
        assert "messaging.message.dead" in list(conn.execute(select(events_log.c.type)).scalars())


def test_a_reader_that_dies_each_time_makes_a_dead_letter_too(desk, clock) -> None:
    desk.publish("poison")
    for _ in range(2):
        assert len(pull(desk)) == 1
        clock.move(seconds=61)
    assert pull(desk) == []
    assert now(desk).dead == 1


def dead_letter(desk) -> None:
    desk.publish("bad")
    for _ in range(2):
        nack(desk, *pull(desk), error="why")


def test_a_dead_letter_is_replayed_to_its_own_subscription_also_after_retention(desk, clock) -> None:
    desk.subscribe("other")
    dead_letter(desk)
    clock.move(days=30)
    desk.service.retain()
    assert desk.service.replay_dead_letters(desk.who, SettleDeadLetters(**BILLING)).count == 1
    assert [(d.body, d.tries) for d in pull(desk)] == [("bad", 1)]
    assert now(desk).dead == 0


def test_dead_letters_are_purged_by_name(desk) -> None:
    dead_letter(desk)
    gone = desk.service.purge_dead_letters(desk.who, SettleDeadLetters(**BILLING, letters=["absent"]))
    assert (gone.count, gone.stale) == (0, ["absent"])
    assert desk.service.purge_dead_letters(desk.who, SettleDeadLetters(**BILLING)).count == 1
    assert now(desk).dead == 0


def test_a_delayed_message_holds_only_its_own_key_back(desk, clock) -> None:
    desk.publish("later", key="a", delay_s=30)
    desk.publish("now", key="b")
    assert [d.body for d in pull(desk)] == ["now"]
    clock.move(seconds=30)
    assert [d.body for d in pull(desk)] == ["later"]


def test_a_subscription_goes_on_from_any_place(desk, clock) -> None:
    seqs = desk.publish("a", "b")
    clock.move(hours=1)
    moment = clock.now()
    desk.publish("c")
    ack(desk, *pull(desk))

    def after(**place: object) -> list[object]:
        desk.service.seek_subscription(desk.who, SeekSubscription(**BILLING, **place))
        return [d.body for d in pull(desk)]

    assert after(seq=seqs[1]) == ["b", "c"]
    assert after(time=moment) == ["c"]
    assert after(to="begin") == ["a", "b", "c"]
    assert after(to="end") == []
    with pytest.raises(Invalid):
        SeekSubscription(**BILLING)


def test_two_readers_never_get_the_same_message(desk) -> None:
    desk.publish(*range(200))
    got: list[object] = []

    def read() -> None:
        while batch := pull(desk, limit=7):
            got.extend(d.body for d in batch)
            ack(desk, *batch)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(200))


def test_a_pull_that_waits_wakes_up_with_the_message(desk) -> None:
    got: list[Delivery] = []
    reader = threading.Thread(target=lambda: got.extend(pull(desk, wait_s=10)))
    reader.start()
    desk.publish("news")
    reader.join(5)
    assert [d.body for d in got] == ["news"]


def test_a_message_damaged_on_the_disk_is_never_delivered(desk) -> None:
    seq = desk.publish("whole", "broken")[1]
    with desk.service._database.change(desk.who, "demo") as change:
        change.execute(update(messages).where(messages.c.seq == seq).values(body='"brokem"'))
    assert [d.body for d in pull(desk)] == ["whole"]
    assert desk.service.list_dead_letters(desk.who, ListDeadLetters(workspace="demo")).items[0].error == "damaged"


def test_a_subscription_is_deleted_with_all_it_holds(desk) -> None:
    dead_letter(desk)
    desk.service.delete_subscription(desk.who, SubscriptionName(**BILLING))
    with pytest.raises(NotFound):
        now(desk)
    assert desk.service.list_dead_letters(desk.who, ListDeadLetters(workspace="demo")).items == []
