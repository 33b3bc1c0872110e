from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from aimass.kernel.clock import SystemClock
from aimass.web.address import Address
from aimass.web.bundle import Bundle
from aimass.web.templating import Environments
from aimass.web.words import STATES

TEMPLATES = Path(__file__).resolve().parents[2] / "src/aimass/web/templates"
HERE = Address(path="/demo/models", query=(("q", "churn"), ("sort", "-name")))


@pytest.fixture(scope="module")
def env():
    return Environments({}, Bundle(), SystemClock())["en"]


@pytest.fixture(scope="module")
def render(env):
    return lambda text, **context: env.from_string(text).render(here=HERE, **context)


def test_every_component_is_shown_on_the_page_of_components(env):
    public = {name for name in vars(env.globals["ui"]) if not name.startswith("_")}
    shown = "".join(path.read_text("utf-8") for path in TEMPLATES.glob("*/*.html"))
    assert sorted(public - set(re.findall(r"(?<!macro )\b(\w+)\(", shown))) == []


def test_an_undefined_variable_is_an_error(render):
    with pytest.raises(UndefinedError):
        render("{{ nothing }}")


def test_texts_are_escaped_everywhere(render):
    written = render(
        "{{ ui.tag(x) }}{{ ui.pill('READY', x) }}{{ ui.facts([(x, x)]) }}{{ ui.code(x) }}{{ ui.banner('ok', x) }}{{ ui.button(x, title=x) }}",
        x="<b>'\"",
    )
    assert "<b>" not in written
    assert written.count("&lt;b&gt;") >= 6


def test_data_of_a_chart_cannot_leave_its_block(render):
    written = render(
        "{{ ui.chart('bars', data, 'T') }}", data={"items": [{"name": "</script><script>alert(1)", "value": 1}]}
    )
    assert written.count("<script") == 1


@pytest.mark.parametrize("state", sorted(STATES))
def test_every_state_has_a_tone_and_a_word(render, state):
    assert re.search(r'class="pill is-(ok|warn|bad|info|mute)[^"]*">\w', render("{{ ui.pill(state) }}", state=state))


def test_a_button_is_a_link_with_an_address_and_dead_with_a_reason(render):
    assert render("{{ ui.button('Go', href='/x') }}").strip() == '<a class="btn" href="/x">Go</a>'
    assert 'aria-disabled="true" title="ask eve"' in render("{{ ui.button('Go', refused='ask eve', hx_post='/x') }}")
    assert "hx-post" not in render("{{ ui.button('Go', refused='ask eve', hx_post='/x') }}")
    assert 'hx-post="/x" hx-confirm="Sure?"' in render("{{ ui.button('Go', hx_post='/x', hx_confirm='Sure?') }}")


def test_a_column_head_tells_and_turns_the_order(render):
    written = render("{{ ui.th('Name', here, 'name') }}{{ ui.th('Size', here, 'size', num=True) }}")
    assert 'aria-sort="descending"' in written
    assert 'href="/demo/models?q=churn&amp;sort=name"' in written
    assert 'class="num" aria-sort="none"' in written


def test_a_pager_offers_only_pages_that_exist(render):
    assert render("{{ ui.pager(here, None) }}").strip() == ""
    more = render("{{ ui.pager(here, 'abc', shown=50, total=1234) }}")
    assert "cursor=abc" in more
    assert "50 of 1,234" in more
    assert "First page" not in more


def test_a_field_is_tied_to_its_label_and_help(render):
    written = render("{{ ui.field('name', 'Name', help='Short.', required=True) }}")
    assert '<label for="f-name">Name</label>' in written
    assert 'aria-describedby="f-name-help"' in written
    assert " required>" in written


def test_a_part_fetches_itself_after_actions_and_on_live_news(render):
    written = render("{% call ui.part('runs', '/demo/runs', live='demo/runs') %}x{% endcall %}")
    assert 'id="runs" hx-get="/demo/runs"' in written
    assert 'hx-select="#runs"' in written
    assert 'data-live-refresh="demo/runs"' in written


def test_a_sparkline_of_one_value_draws_nothing(render):
    assert render("{{ ui.sparkline([1]) }}").strip() == ""
    assert "polyline" in render("{{ ui.sparkline([1, 2]) }}")
