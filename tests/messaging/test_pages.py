"""The room's pages over HTTP and in a browser: who sees what, what each action does, when a schedule fires next."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.infra.search import Search
from aimass.kernel.principal import SYSTEM
from aimass.messaging import CAPABILITY as MESSAGING
from aimass.messaging import (
    CreateSchedule,
    CreateSubscription,
    CreateTopic,
    DeadLetter,
    ListDeadLetters,
    MessageAction,
    Messaging,
    NackMessages,
    NewMessage,
    PublishMessages,
    PullMessages,
    ScheduleName,
    SubscriptionName,
    TopicName,
)
from aimass.messaging.jobs import attention
from aimass.messaging.search import document
from tests.fixtures.browser import axe_violations, browser, new_page, serving, settle  # noqa: F401
from tests.fixtures.site import ROLES, Site, site_of, unnamed_actions

QUEUE, SCHEDULE = "/demo/operate/queues/orders", "/demo/work/schedules/nightly"
PAGES = ("/demo/operate/queues", QUEUE, f"{QUEUE}?tab=messages", f"{QUEUE}?tab=dead", "/demo/operate/dead-letters", "/demo/operate/dead-letters?topic=orders&subscription=billing", "/demo/work/schedules", SCHEDULE)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A topic with a reader that gave up on two of its three messages, and a schedule."""
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, MESSAGING]) as found:
        messaging, where = found.registry.get(Messaging), {"workspace": "demo", "topic": "orders"}
        messaging.create_topic(SYSTEM, CreateTopic(**where, title="订单"))
        messaging.create_subscription(SYSTEM, CreateSubscription(**where, subscription="billing", max_tries=1))
        messages = [NewMessage(body={"order": n, "客户": "李"}) for n in range(3)]
        messaging.publish(SYSTEM, PublishMessages(**where, messages=messages))
        pull = PullMessages(**where, subscription="billing", limit=2)
        receipts = [delivery.receipt for delivery in messaging.pull(SYSTEM, pull)]
        messaging.nack(SYSTEM, NackMessages(**where, subscription="billing", receipts=receipts, error="no currency"))
        messaging.pull(SYSTEM, PullMessages(**where, subscription="billing", limit=1))
        action = MessageAction(topic="orders", body={"reason": "nightly"})
        wish = CreateSchedule(workspace="demo", name="Nightly", cron="30 2 * * *", zone="Asia/Shanghai", message=action)
        messaging.create_schedule(SYSTEM, wish)
        yield found


def _letters(site: Site) -> list[DeadLetter]:
    return site.registry.get(Messaging).list_dead_letters(SYSTEM, ListDeadLetters(workspace="demo")).items


def _reader(site: Site) -> SubscriptionName:
    return SubscriptionName(workspace="demo", topic="orders", subscription="billing")


def test_dead_letters_need_somebody_with_one_link_to_them(site):
    (need,) = attention(site.registry, site.people["viewer"], "demo")
    assert need["title"].startswith("billing gave up on ")
    assert need["path"] == "/demo/operate/dead-letters?topic=orders&subscription=billing"
    assert site.visitor("viewer").open(need["path"]).status_code == 200
    assert attention(site.registry, site.people["stranger"], "demo") == []
    assert attention(site.registry, site.root, "other") == []


@pytest.mark.parametrize("role", [*ROLES, "stranger", "root"])
def test_each_page_opens_for_members_of_the_workspace(site, role):
    pages = (*PAGES, f"/demo/operate/dead-letters/{_letters(site)[0].id}")
    visitor, wanted = site.visitor(role), 404 if role == "stranger" else 200
    assert {path: visitor.open(path).status_code for path in pages} == dict.fromkeys(pages, wanted)


def test_nobody_sees_a_page_without_a_sign_in(site):
    assert {site.visitor().open(path).status_code for path in PAGES} == {303}


def test_a_queue_shows_who_is_behind_and_what_died(site):
    text = site.visitor("viewer").part(QUEUE, "topic").text
    assert "has dead letters" in text
    assert "李" in site.visitor("viewer").part(f"{QUEUE}?tab=messages", "topic").text


def test_a_dead_letter_says_what_its_reader_said(site):
    text = site.visitor("viewer").open(f"/demo/operate/dead-letters/{_letters(site)[0].id}").text
    assert text.index("no currency") < text.index("客户")


def test_a_schedule_shows_its_next_five_times_where_it_lives(site):
    messaging = site.registry.get(Messaging)
    found = messaging.get_schedule(SYSTEM, ScheduleName(workspace="demo", schedule="nightly"))
    text = site.visitor("viewer").part(SCHEDULE, "schedule").text
    assert len(re.findall(r'<td class="strong">\w{3} \d{4}-\d\d-\d\d 02:30</td>', text)) == 5
    assert f"{found.next_times[0]:%Y-%m-%d} 18:30:00 UTC" in text


def test_the_next_times_are_shown_while_an_expression_is_written(site):
    address = "/demo/work/schedules/-/preview"
    viewer = site.visitor("viewer")
    assert viewer.open(f"{address}?cron=0+9+*+*+1&zone=Asia/Shanghai").text.count("Mon ") == 5
    wrong = viewer.part(f"{address}?cron=0+9&zone=UTC", "cron-preview")
    assert (wrong.status_code, wrong.json()["field"]) == (400, "cron")


def test_a_topic_is_made_read_and_published_on_by_the_forms(site):
    editor = site.visitor("admin")
    address = editor.do("POST", "/demo/operate/queues", topic="scores", title="Scores").headers["hx-redirect"]
    assert editor.do("POST", f"{address}/subscriptions", subscription="crm", start="begin").status_code == 204
    assert editor.do("POST", f"{address}/messages", body='{"churn": 0.4}', key="c1").status_code == 204
    refused = editor.do("POST", f"{address}/messages", body="{", key="")
    assert (refused.status_code, refused.json()["field"]) == (400, "body")
    assert editor.do("DELETE", address).status_code == 409
    assert editor.do("DELETE", f"{address}/subscriptions/crm").status_code == 204
    assert editor.do("DELETE", address).headers["hx-redirect"] == "/demo/operate/queues"


def test_settings_of_a_topic_are_changed_unless_somebody_was_faster(site):
    admin, form = site.visitor("admin"), {"title": "Orders", "retention_h": 24}
    version = site.registry.get(Messaging).get_topic(SYSTEM, TopicName(workspace="demo", topic="orders")).version
    assert admin.do("POST", f"{QUEUE}/settings", version=version, **form).status_code == 204
    assert admin.do("POST", f"{QUEUE}/settings", version=version, **form).status_code == 412


def test_a_dead_letter_is_delivered_again_and_another_let_go(site):
    admin, reader = site.visitor("admin"), {"topic": "orders", "subscription": "billing"}
    first, second = _letters(site)
    again = admin.do("POST", "/demo/operate/dead-letters/replay", **reader, letter=first.id)
    assert again.headers["hx-redirect"] == "/demo/operate/dead-letters"
    assert [letter.id for letter in _letters(site)] == [second.id]
    assert admin.do("POST", "/demo/operate/dead-letters/purge", **reader).status_code == 204
    assert _letters(site) == []


def test_a_reader_may_begin_again(site):
    admin = site.visitor("admin")
    assert admin.do("POST", f"{QUEUE}/subscriptions/billing/seek", to="begin").status_code == 204
    assert site.registry.get(Messaging).get_subscription(SYSTEM, _reader(site)).waiting == 3


def test_a_schedule_is_made_paused_resumed_run_changed_and_deleted(site):
    admin = site.visitor("admin")
    form = {"name": "Weekly", "cron": "0 9 * * 1", "zone": "UTC", "does": "message:orders", "body": '{"a": 1}'}
    address = admin.do("POST", "/demo/work/schedules", **form).headers["hx-redirect"]
    answers = [admin.do("POST", f"{address}/{deed}") for deed in ("pause", "resume", "run")]
    assert [answer.status_code for answer in answers] == [204, 204, 204]
    assert f"{address}/resume" in answers[0].headers["hx-trigger"]
    found = site.registry.get(Messaging).get_schedule(SYSTEM, ScheduleName(workspace="demo", schedule="weekly"))
    assert found.runs == 1
    change = {"version": found.version, "cron": "0 10 * * 1", "zone": "UTC", "missed": "skip"}
    assert admin.do("POST", f"{address}/settings", **change).status_code == 204
    assert admin.do("DELETE", address).headers["hx-redirect"] == "/demo/work/schedules"


def test_a_viewer_gets_no_buttons_and_the_addresses_refuse_him_too(site):
    viewer = site.visitor("viewer")
    for path in PAGES:
        text = re.sub(r'hx-post="/(console|logout).*?"', "", viewer.open(path).text)
        assert not re.search(r"hx-(post|delete)=", text), path
    answers = [viewer.do("POST", "/demo/operate/queues", topic="x"), viewer.do("POST", f"{SCHEDULE}/run")]
    answers += [viewer.do("DELETE", QUEUE), viewer.do("POST", f"{QUEUE}/messages", body="1")]
    assert {answer.status_code for answer in answers} == {403}


def test_every_action_names_its_operation(site):
    for path in PAGES:
        assert unnamed_actions(site.visitor("root").open(path).text, site.cases()) == []


def test_topics_and_schedules_are_found(site):
    found = [document(site.registry, "demo", name) for name in ("topic:orders", "schedule:nightly", "topic:none")]
    site.registry.get(Search).put([one for one in found if one is not None])
    hits = [site.registry.get(Search).find(site.people["viewer"], words)[0].kind for words in ("orders", "nightly")]
    assert (found[2], hits) == (None, ["topic", "schedule"])


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
def test_the_pages_are_accessible(browser, site, theme, language):
    pages = new_page(browser, theme=theme, language=language, cookies=site.cookies("root"), url="http://127.0.0.1")
    with serving(site.app) as url, pages as page:
        for path in PAGES:
            page.goto(url + path)
            settle(page)
            assert axe_violations(page) == [], path
