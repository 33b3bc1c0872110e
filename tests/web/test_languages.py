from __future__ import annotations

import re

import pytest
from babel.messages.pofile import read_po

from aimass.kernel.clock import SystemClock
from aimass.web.filters import time_filters
from aimass.web.i18n import preferred, translations
from tests.fixtures.messages import SOURCE, messages, translated


def test_every_text_of_the_console_has_a_chinese_translation():
    done = translated("zh")
    missing = {text: where for text, where in messages().items() if text not in done}
    entries = "\n".join(f'#: {where}\nmsgid "{_quoted(text)}"\nmsgstr ""\n' for text, where in missing.items())
    assert not missing, f"add to the room's i18n/zh.po:\n\n{entries}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


@pytest.mark.parametrize("path", sorted(SOURCE.glob("**/i18n/*.po")), ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_a_translation_keeps_the_named_values_of_its_text(path):
    with path.open("rb") as file:
        for message in read_po(file, locale=path.stem):
            if message.id:
                named = re.findall(r"%\(\w+\)\w", str(message.id))
                assert sorted(re.findall(r"%\(\w+\)\w", str(message.string))) == sorted(named), message.id


@pytest.mark.parametrize("path", sorted(SOURCE.glob("**/i18n/*.po")), ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_a_sign_of_percent_is_doubled_where_a_page_fills_values_in(path):
    """Templates fill values into every text that they ask for, so a single sign ends the page in an error."""
    with path.open("rb") as file:
        for message in read_po(file, locale=path.stem):
            if message.id and message.context is None:
                assert "%" not in re.sub(r"%%|%\(\w+\)[sd]", "", str(message.string)), message.id


def test_a_text_has_one_translation_whichever_room_it_is_in():
    """The catalogues are merged: of two translations one would be shown on the pages of both rooms."""
    told: dict[tuple[str | None, str], dict[str, str]] = {}
    for path in sorted(SOURCE.glob("**/i18n/zh.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale="zh"):
                if message.id:
                    told.setdefault((message.context, str(message.id)), {})[path.parts[-3]] = str(message.string)
    assert {text: rooms for text, rooms in told.items() if len(set(rooms.values())) > 1} == {}


def test_the_toolkit_speaks_chinese_and_leaves_unknown_texts_in_english():
    catalogue = translations("zh", [])
    assert catalogue.gettext("Overview") == "总览"
    assert catalogue.gettext("a text nobody wrote") == "a text nobody wrote"


def test_the_language_is_the_best_known_one_that_the_browser_accepts():
    assert preferred("fr-FR, zh-TW;q=0.9, en;q=0.3") == "zh"
    assert preferred("en;q=0, zh;q=0.1") == "zh"
    assert preferred("not a header;q=x") == "en"


def test_a_duration_is_written_in_the_words_of_the_language():
    catalogue = translations("zh", [])
    lasting = time_filters(SystemClock(), lambda text, **values: catalogue.gettext(text) % values)["duration"]
    assert [lasting(s) for s in (0.0312, 12.4, 72, 4320, 273_600, 86_424)] == [
        "31.2 ms", "12.4 s", "1 分钟 12 秒", "1 小时 12 分钟", "3 天 4 小时", "1 天",
    ]  # fmt: skip
    assert (lasting(None), lasting(0)) == ("–", "0")
