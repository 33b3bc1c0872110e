"""REST APIs against a local server that misbehaves."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from aimass.collector.connectors.port import StreamColumn
from aimass.collector.connectors.reach import Reach, limit_to
from aimass.collector.connectors.rest.manifest import CONNECTOR
from aimass.collector.connectors.rest.run import RUN
from aimass.kernel.errors import Forbidden, Invalid, NotFound, TooLarge, Unavailable
from tests.fixtures.api_server import ApiServer, Asked, Reply, api_server
from tests.fixtures.draining import Committed, wish

ROWS = [
    {"id": n, "name": f"n{n}", "at": (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n)).isoformat()}
    for n in range(25)
]
COLUMNS = (
    StreamColumn(name="id", type="integer"),
    StreamColumn(name="name", type="string"),
    StreamColumn(name="at", type="timestamp"),
)
SECRET = "correct-horse-battery"
IDS = list(range(25))


@pytest.fixture
def api():
    limit_to(Reach(loopback=True))
    with api_server() as found:
        yield found


@pytest.fixture
def opened(api):
    made = []

    def build(**more: Any):
        made.append(RUN(CONNECTOR.check({"base_url": api.url, "tries": 3, **more})))
        return made[-1]

    yield build
    for one in made:
        one.close()


def paged(style: str, size: int = 10):
    """An API in one style of pages, and the parameters that read it."""

    def answer(asked: Asked) -> Reply:
        start = {
            "page": lambda: (int(asked.query.get("page", 1)) - 1) * size,
            "offset": lambda: int(asked.query.get("offset", 0)),
        }.get(style, lambda: int(asked.query.get("cursor", 0)))()
        rows, more = ROWS[start : start + size], start + size < len(ROWS)
        body: Any = {"meta": {"next": None, "total": len(ROWS)}, "data": {"items": rows}}
        headers = {}
        if more and style == "cursor":
            body["meta"]["next"] = str(start + size)
        if more and style == "next_url":
            body["meta"]["next"] = f"/orders?cursor={start + size}"
        if more and style == "link":
            headers["link"] = f'</first>; rel="first", </orders?cursor={start + size}>; rel="next"'
        if more and style == "header":
            headers["x-next"] = str(start + size)
        return Reply(body, headers=headers)

    told = {"records": "data.items", "pagination": style, "next_at": "meta.next"}
    if style == "header":
        told |= {"pagination": "cursor", "next_at": "header:X-Next"}
    return answer, told


def first_then(replies: list[Reply], after: Any):
    left = list(replies)
    return lambda asked: left.pop(0) if left else after(asked)


@pytest.mark.parametrize("style", ["page", "offset", "cursor", "next_url", "link", "header"])
def test_every_style_of_pages_brings_every_row_once(api, opened, style):
    api.answer, told = paged(style)
    found = Committed().take(opened(), wish("/orders", parameters=told, columns=COLUMNS))
    assert found.column("id") == IDS
    assert found.state == {}


def test_a_short_page_is_the_last_when_the_size_is_asked_for(api, opened):
    api.answer, told = paged("page")
    found = Committed().take(opened(), wish("/orders", parameters={**told, "size_param": "n", "page_size": 10}))
    assert (found.column("id"), len(api.asked)) == (IDS, 3)
    assert {one.query["n"] for one in api.asked} == {"10"}


@pytest.mark.parametrize(
    ("body", "records", "count"),
    [
        (ROWS, "", 25),
        ({"count": 25, "rows": ROWS}, "", 25),
        ({"a": [{"b": ROWS}]}, "a.0.b", 25),
        ({"id": 1}, "", 1),
        ({"rows": []}, "rows", 0),
        ({"rows": None}, "rows", 0),
        ([1, 2], "", 2),
    ],
)
def test_rows_are_found_in_answers_of_many_shapes(api, opened, body, records, count):
    api.answer = lambda _: Reply(body)
    assert len(Committed().take(opened(), wish("/orders", parameters={"records": records})).rows) == count


def test_a_wrong_place_of_the_rows_is_said_with_what_there_is(api, opened):
    api.answer = lambda _: Reply({"items": ROWS, "total": 3})
    with pytest.raises(Invalid) as failure:
        Committed().take(opened(), wish("/orders", parameters={"records": "data"}))
    assert (failure.value.field, failure.value.allowed) == ("stream_parameters.records", ["items", "total"])


@pytest.mark.parametrize(
    ("told", "header", "value"),
    [
        ({"auth": "bearer"}, "authorization", f"Bearer {SECRET}"),
        ({"auth": "basic", "user": "ann"}, "authorization", "Basic YW5uOmNvcnJlY3QtaG9yc2UtYmF0dGVyeQ=="),
        ({"auth": "header", "key_name": "X-Key"}, "x-key", SECRET),
    ],
)
def test_a_request_says_who_asks(api, opened, told, header, value):
    api.answer = lambda _: Reply(ROWS)
    Committed().take(opened(secret=SECRET, headers={"X-Team": "data"}, **told), wish("/orders"))
    assert (api.asked[0].headers[header], api.asked[0].headers["x-team"]) == (value, "data")


def test_a_key_in_the_query_stands_in_no_state_even_if_the_api_repeats_it(api, opened):
    api.answer = lambda asked: Reply(
        {"rows": ROWS[:2], "next": f"/orders?key={SECRET}&after={int(asked.query.get('after', 0)) + 1}"}
    )
    told = {"pagination": "next_url"}
    wanted = wish("/orders", parameters=told, mode="incremental", cursor="at", columns=COLUMNS)
    part = next(one for one in opened(auth="query", key_name="key", secret=SECRET).read(wanted, {}) if one)
    assert SECRET not in json.dumps(dict(part.state))
    assert api.asked[0].query["key"] == SECRET


def test_parameters_that_an_authorization_needs_are_asked_for():
    with pytest.raises(Invalid, match="needs 'token_url'"):
        CONNECTOR.check({"base_url": "https://api.example", "auth": "oauth2", "secret": "x", "client_id": "y"})


def test_a_refused_secret_is_told_without_it(api, opened):
    api.answer = lambda _: Reply({"error": f"bad token {SECRET}"}, 401)
    with pytest.raises(Forbidden) as failure:
        opened(auth="bearer", secret=SECRET).check()
    assert failure.value.field == "secret"
    assert SECRET not in str(failure.value.problem())


def test_tokens_are_fetched_and_renewed_when_they_end_in_the_middle(api, opened):
    pages, told = paged("page")
    tokens = ["one", "two"]

    def answer(asked: Asked) -> Reply:
        if asked.path == "/token":
            return Reply({"access_token": tokens.pop(0), "expires_in": 3600})
        wanted = "Bearer one" if asked.query["page"] == "1" else "Bearer two"
        return pages(asked) if asked.headers["authorization"] == wanted else Reply({}, 401)

    api.answer = answer
    client = {"auth": "oauth2", "client_id": "c", "secret": SECRET, "token_url": f"{api.url}/token", "scope": "read"}
    assert Committed().take(opened(**client), wish("/orders", parameters=told)).column("id") == IDS
    assert tokens == []
    assert b"scope=read" in next(one.body for one in api.asked if one.path == "/token")


def test_a_token_address_that_refuses_the_client_is_told(api, opened):
    api.answer = lambda _: Reply({"error": "invalid_client"}, 401)
    with pytest.raises(Forbidden) as failure:
        opened(auth="oauth2", client_id="c", secret=SECRET, token_url=f"{api.url}/token").check()
    assert failure.value.field == "secret"


def in_two_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("wait", [lambda: "1", in_two_seconds])
def test_the_wait_that_an_api_asks_for_is_kept(api, opened, status, wait):
    pages, told = paged("page")
    api.answer = first_then([Reply({}, status, {"retry-after": wait()})], pages)
    begun = time.monotonic()
    assert Committed().take(opened(), wish("/orders", parameters=told), idle=99).column("id") == IDS
    assert time.monotonic() - begun >= 0.9


def test_a_wait_that_is_too_long_is_an_error_that_names_the_limit(api, opened):
    api.answer = lambda _: Reply({}, 429, {"retry-after": "9999"})
    with pytest.raises(Unavailable, match="9999") as failure:
        opened().describe("/orders", {})
    assert failure.value.field == "longest_wait_s"


@pytest.mark.parametrize(
    "bad",
    [
        Reply({}, 500),
        Reply({}, 502),
        Reply(ROWS, cut=20),
        Reply(ROWS, chunked=True, cut=1),
        Reply(ROWS, headers={"content-encoding": "gzip"}),
    ],
    ids=["500", "502", "dies in the middle", "dies in a chunk", "no gzip though it says so"],
)
def test_an_answer_that_breaks_is_asked_for_again(api, opened, bad):
    pages, told = paged("page")
    api.answer = first_then([bad], pages)
    assert Committed().take(opened(), wish("/orders", parameters=told), idle=99).column("id") == IDS


def test_an_api_that_stays_away_is_unavailable_and_the_next_collection_goes_on_at_the_page(api, opened):
    pages, told = paged("page")
    wanted = wish("/orders", parameters=told, mode="incremental", cursor="at", columns=COLUMNS)
    begun = Committed()
    api.answer = lambda asked: pages(asked) if asked.query.get("page", "1") < "3" else Reply({}, 500)
    with pytest.raises(Unavailable, match="sent 3 times"):
        begun.take(opened(), wanted, idle=99)
    assert begun.column("id") == IDS[:20]
    api.asked.clear()
    api.answer = pages
    assert begun.take(opened(), wanted).column("id") == IDS
    assert api.asked[0].query["page"] == "3"
    assert begun.state == {"cursor": ROWS[-1]["at"]}


def test_a_mark_that_expired_begins_again_at_the_cursor(api, opened):
    pages, told = paged("cursor")
    wanted = wish("/orders", parameters=told, mode="incremental", cursor="at", columns=COLUMNS)
    begun = Committed(state={"cursor": ROWS[20]["at"], "going": {"position": "stale", "highest": ROWS[22]["at"]}})
    api.answer = lambda asked: (
        Reply({"error": "expired"}, 400) if asked.query.get("cursor") == "stale" else pages(asked)
    )
    assert begun.take(opened(), wanted).column("id") == [20, 21, 22, 23, 24]


def test_only_rows_from_the_cursor_on_are_asked_for(api, opened):
    api.answer = lambda asked: Reply(
        [row for row in ROWS if row["at"] >= asked.query.get("since", "").replace("Z", "+00:00")]
    )
    wanted = wish(
        "/orders", parameters={"since_param": "since"}, mode="incremental", cursor="at", columns=COLUMNS, lag_s=3600
    )
    begun = Committed().take(opened(), wanted)
    assert begun.column("id") == IDS
    begun.take(opened(), wanted)
    assert api.asked[1].query["since"] == "2026-01-01T23:00:00Z"
    assert begun.column("id")[25:] == [23, 24]


@pytest.mark.parametrize(
    ("form", "text"), [("seconds", "1767308400"), ("milliseconds", "1767308400000"), ("date", "2026-01-01")]
)
def test_moments_are_written_as_the_api_wants_them(api, opened, form, text):
    api.answer = lambda _: Reply([])
    told = {"since_param": "since", "since_format": form}
    wanted = wish("/orders", parameters=told, mode="incremental", cursor="at", columns=COLUMNS)
    Committed(state={"cursor": "2026-01-01T23:00:00+00:00"}).take(opened(), wanted)
    assert api.asked[0].query["since"] == text


def test_an_api_without_such_a_parameter_is_filtered_here(api, opened):
    api.answer = lambda _: Reply(ROWS)
    wanted = wish("/orders", mode="incremental", cursor="at", columns=COLUMNS)
    assert Committed(state={"cursor": ROWS[22]["at"]}).take(opened(), wanted).column("id") == [22, 23, 24]


@pytest.mark.parametrize("style", ["page", "cursor", "link"])
def test_pages_that_do_not_move_on_are_stopped(api, opened, style):
    same = {"data": {"items": ROWS[:10]}, "meta": {"next": "7"}}
    api.answer = lambda _: Reply(same, headers={"link": '</orders?cursor=1>; rel="next"'})
    with pytest.raises(Invalid, match="do not move on"):
        Committed().take(opened(), wish("/orders", parameters=paged(style)[1]))
    assert len(api.asked) <= 3


def test_more_pages_than_allowed_are_stopped(api, opened):
    api.answer = lambda asked: Reply([{"id": int(asked.query["page"])}])
    with pytest.raises(Invalid, match="more than 5 pages"):
        Committed().take(opened(), wish("/orders", parameters={"pagination": "page", "max_pages": 5}))


@pytest.mark.parametrize(
    "auth", [{"auth": "bearer"}, {"auth": "header", "key_name": "x-key"}, {"auth": "query", "key_name": "key"}]
)
def test_a_redirect_to_another_host_carries_no_secret(api, opened, auth):
    with api_server() as other:
        other.answer = lambda _: Reply(ROWS)
        api.answer = lambda _: Reply({}, 302, {"location": f"{other.url}/elsewhere"})
        found = Committed().take(opened(secret=SECRET, headers={"x-team": "data"}, **auth), wish("/orders"))
        assert found.column("id") == IDS
        assert SECRET not in str(other.asked[0])
        assert "x-team" not in other.asked[0].headers
        assert SECRET in str(api.asked[0])


def test_a_redirect_to_a_forbidden_address_is_not_followed(api, opened):
    api.answer = lambda _: Reply({}, 302, {"location": "http://169.254.169.254/latest/meta-data"})
    with pytest.raises(Forbidden, match=r"169\.254"):
        opened().describe("/orders", {})


def test_a_next_page_at_another_host_is_refused(api, opened):
    api.answer = lambda _: Reply({"rows": ROWS, "next": "http://other.example/x"})
    with pytest.raises(Invalid, match="another host"):
        Committed().take(opened(), wish("/orders", parameters={"pagination": "next_url"}))


def test_redirects_without_end_are_stopped(api, opened):
    api.answer = lambda _: Reply({}, 302, {"location": "/orders"})
    with pytest.raises(Invalid, match="again and again"):
        opened().describe("/orders", {})


@pytest.mark.parametrize("zipped", [False, True])
def test_a_page_over_the_limit_is_refused_before_it_is_read_whole(api, opened, zipped):
    api.answer = lambda _: Reply([{"a": "x" * 1_000_000}], zipped=zipped)
    with pytest.raises(TooLarge) as failure:
        opened(max_bytes=10_000).describe("/orders", {})
    assert failure.value.field == "max_bytes"


def test_packed_answers_are_read(api, opened):
    api.answer = lambda _: Reply(ROWS, zipped=True)
    assert Committed().take(opened(), wish("/orders")).column("id") == IDS


def test_a_page_of_html_is_said(api, opened):
    api.answer = lambda _: Reply(b"<html>maintenance</html>")
    with pytest.raises(Unavailable, match="no JSON"):
        opened().describe("/orders", {})


def test_a_slow_answer_ends_in_an_error(api, opened):
    api.answer = lambda _: (time.sleep(1), Reply(ROWS))[1]
    with pytest.raises(Unavailable, match="ReadTimeout"):
        opened(timeout_s=0.2, tries=2).describe("/orders", {})


def test_the_rate_is_kept(api, opened):
    api.answer, told = paged("page")
    begun = time.monotonic()
    Committed().take(opened(requests_per_s=5), wish("/orders", parameters=told), idle=99)
    assert (time.monotonic() - begun >= 0.55, len(api.asked)) == (True, 4)


def test_check_and_discovery(api, opened):
    api.answer = lambda asked: Reply({"rows": ROWS}) if asked.path == "/orders" else Reply({}, 404)
    connector = opened(paths=["/orders"])
    assert api.url in connector.check()
    (found,) = connector.discover()
    assert [(c.name, c.type) for c in found.columns] == [("id", "integer"), ("name", "string"), ("at", "timestamp")]
    assert found.modes == ("full", "incremental")
    with pytest.raises(NotFound):
        connector.describe("/nothing", {})
    assert "nothing at the address itself" in opened().check()


def test_an_address_where_nobody_listens_is_named(opened):
    with pytest.raises(Unavailable) as failure:
        opened(base_url="http://127.0.0.1:1", tries=1).check()
    assert failure.value.field == "base_url"


@pytest.mark.parametrize("stream", ["http://other.example/x", "//other.example/x"])
def test_a_stream_is_a_path_under_the_address(opened, stream):
    with pytest.raises(Invalid) as failure:
        opened().describe(stream, {})
    assert failure.value.field == "stream"


def test_a_preview_stops_when_it_has_enough(api: ApiServer, opened):
    api.answer, told = paged("page")
    assert Committed().take(opened(), wish("/orders", parameters=told, limit=12)).column("id") == IDS[:12]
    assert len(api.asked) == 2
