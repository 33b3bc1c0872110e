"""What is kept or sent in English is told in Chinese: each error code, and each sentence that a room stores."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from fastapi.testclient import TestClient

from aimass.bootstrap.discovery import capabilities
from aimass.kernel.errors import Invalid, NotFound
from aimass.web.console import _rooms
from aimass.web.i18n import stored
from aimass.web.telling import Said, Telling
from tests.fixtures.messages import SOURCE

PLACE = re.compile(r"%\(\w+\)s")
FILES = [p for p in sorted(SOURCE.rglob("*.py")) if not {"node_modules", "generated"} & set(p.parts)]
READY = sorted(SOURCE.glob("models/zoo/*/about.json"))  # stored words of a ready model are told too
CHINESE = re.compile("[\u4e00-\u9fff]")
LOOKED_FOR = (ast.ClassDef, ast.Call, ast.Assign, ast.Dict, ast.FunctionDef, ast.Raise, ast.Constant)


@cache
def _nodes(path: Path) -> list[ast.AST]:
    """Return every node of a source that a test looks for; each file is read once."""
    found: list[ast.AST] = []
    left: list[ast.AST] = [ast.parse(path.read_text())]
    while left:
        node = left.pop()
        if isinstance(node, LOOKED_FOR):
            found.append(node)
        for value in vars(node).values():
            if isinstance(value, list):
                left += [one for one in value if isinstance(one, ast.AST)]
            elif isinstance(value, ast.AST):
                left.append(value)
    return found


@pytest.fixture(scope="module")
def chinese() -> Telling:
    return stored("zh", _rooms(capabilities()).values())


def _codes() -> Iterator[tuple[str, str]]:
    """Yield each error code of the sources, with its class."""
    for path in FILES:
        for node in _nodes(path):
            if isinstance(node, ast.ClassDef) and node.bases:
                for line in node.body:
                    target = line.target if isinstance(line, ast.AnnAssign) else line.targets[0] if isinstance(line, ast.Assign) else None  # fmt: skip
                    if isinstance(target, ast.Name) and target.id == "code" and isinstance(line.value, ast.Constant):
                        yield node.name, str(line.value.value)


def test_every_error_code_has_a_chinese_sentence(chinese):
    codes = sorted(set(_codes()))
    assert len(codes) > 50
    told = {
        code: chinese.error({"code": code, "detail": "an English sentence about 'x'", "value": "x"})
        for _, code in codes
    }
    lacking = [f"{code} ({name})" for name, code in codes if not CHINESE.search(told[code]["text"])]
    assert lacking == [], 'add msgctxt "error" with the code as msgid to the room\'s i18n/zh.po'
    assert {(one["detail"], one["value"]) for one in told.values()} == {("an English sentence about 'x'", "x")}


def _skeleton(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "x1" for v in node.values)
    return ""


STORED_KEYWORDS = {"SubmitJob": "title", "StepPlan": "title", "Template": "title", "Interval": "method"}


def _sentences() -> Iterator[tuple[str, str]]:
    """Yield the sentences that rooms store or hand on: titles of jobs and steps, notes, evidence, what needs somebody."""
    for path in FILES:
        where = str(path.relative_to(SOURCE))
        for node in _nodes(path):
            if isinstance(node, ast.Call):
                wanted = STORED_KEYWORDS.get(getattr(node.func, "id", ""))
                yield from ((where, _skeleton(k.value)) for k in node.keywords if k.arg == wanted)
                is_note = (
                    isinstance(node.func, ast.Attribute) and node.func.attr == "append" and "training/children" in where
                )
                if is_note and getattr(node.func.value, "id", "") == "notes":
                    yield where, _skeleton(node.args[0])
            is_title = isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == ["title"]
            if is_title and "/service/" in where:
                yield where, _skeleton(node.value)
            if isinstance(node, ast.Assign) and "/kinds/" in where and getattr(node.targets[0], "id", "") == "words":
                yield where, re.sub(r"\{\w+[^}]*\}", "x1", _skeleton(node.value))
            if isinstance(node, ast.Dict) and ("/steps/" in where or "children/" in where):
                yield from ((where, _skeleton(v)) for k, v in zip(node.keys, node.values, strict=True) if _skeleton(k) in ("note", "evidence"))  # fmt: skip
            if isinstance(node, ast.FunctionDef) and node.name == "attention":
                found = [d for d in ast.walk(node) if isinstance(d, ast.Dict)]
                for d in found:
                    yield from ((where, s) for k, v in zip(d.keys, d.values, strict=True) if _skeleton(k) == "title" for s in _branches(v))  # fmt: skip


def _branches(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*_branches(node.body), *_branches(node.orelse))
    elif isinstance(node, ast.Subscript):
        yield from _branches(node.value)
    else:
        yield _skeleton(node)


def test_every_stored_sentence_is_told_in_chinese(chinese):
    words = sorted({(where, text) for where, text in _sentences() if re.search("[a-z]{2}", text)})
    assert len(words) > 60
    english = [
        f"{where}: {text!r}"
        for where, text in words
        if not re.fullmatch(r"(x1\W*)+", text)
        and not CHINESE.search(chinese(text) if chinese(text) != text else _title(text))
    ]
    assert english == [], 'add msgctxt "told" for each to the room\'s i18n/zh.po'


SEEN_IN_THE_CONSOLE = ("access", "apps", "cluster", "collector", "lake", "lifecycle", "messaging", "models", "monitoring", "serving", "training")  # fmt: skip


def _raised() -> Iterator[tuple[str, str, str]]:
    """Yield room, message and hint of each error that a service raises."""
    for path in FILES:
        room = path.relative_to(SOURCE).parts[0]
        if room not in SEEN_IN_THE_CONSOLE or path.name in ("specs.py", "api.py"):
            continue
        for node in _nodes(path):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                hint = next((k.value for k in node.exc.keywords if k.arg == "hint"), None)
                yield room, _skeleton(node.exc.args[0]), _skeleton(hint)


def test_every_way_out_is_told_in_chinese(chinese):
    hints = sorted({hint for _, _, hint in _raised() if hint})
    assert len(hints) > 200
    english = [one for one in hints if not CHINESE.search(chinese(one)) and not one.startswith(("aimass ", "CSV"))]
    assert english == [], 'add msgctxt "told" for each to the room\'s i18n/zh.po'


def test_most_errors_are_told_in_whole_sentences(chinese):
    messages = {message for _, message, _ in _raised() if message}
    english = sorted(m for m in messages if not CHINESE.search(chinese(re.sub(r"(?<!')x1(?!')", "'x1'", m))))
    assert len(english) / len(messages) < 0.3, "\n".join(english)


def _title(sentence: str) -> str:
    """Titles of templates and steps are texts of the console; they are translated as such."""
    from tests.fixtures.messages import translated

    return "中" if sentence in translated("zh") else sentence


def _forms() -> Iterator[str]:
    for path in sorted(SOURCE.glob("**/i18n/zh.po")):
        with path.open("rb") as file:
            yield from (str(m.id) for m in read_po(file, locale="zh") if m.id and m.context == "told")


def test_every_form_is_of_words_that_are_written_somewhere():
    texts = [text for path in FILES for text in _texts(path)] + [path.read_text() for path in READY]
    source = {word for text in texts for word in re.findall(r"[A-Za-z]{4,}", text.replace("\\n", " "))}
    lost = [form for form in _forms() if not set(re.findall(r"[A-Za-z]{4,}", PLACE.sub(" ", form))) <= source]
    assert lost == []


def _texts(path: Path) -> Iterator[str]:
    for node in _nodes(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_values_inside_a_sentence_are_told_too():
    tell = Telling(
        {"%(said)s failed: %(why)s": "%(said)s失败：%(why)s", "Train %(x)s": "训练 %(x)s", "no luck": "运气不好"}, {}
    )
    assert tell("Train lightgbm failed: no luck") == "训练 lightgbm失败：运气不好"


def test_several_sentences_in_one_text_are_told_each():
    tell = Telling({"a %(x)s": "甲 %(x)s", "b": "乙"}, {})
    assert tell("a 1; b; c") == "甲 1; 乙; c"


def test_what_a_page_said_itself_is_not_explained_again():
    tell = Telling({}, {"invalid": "有一个值不符合规则。"})
    assert tell.error(Invalid(Said("密码错误。"), field="password"))["detail"] == ""
    assert tell.error(Invalid("'A b' is no slug", value="A b"))["text"] == "有一个值不符合规则。"


def test_an_english_page_shows_the_sentence_itself():
    told = Telling({}, {}).error(NotFound("there is no model 'x'", hint="look into the library"))
    assert (told["text"], told["detail"], told["hint"]) == ("there is no model 'x'", "", "look into the library")


def test_an_error_page_and_a_problem_for_the_page_are_chinese_the_api_stays_english(visitor):
    page = visitor("viewer", **{"Accept-Language": "zh"}).get("/demo/nothing-here").text
    assert "没有页面" in page
    client: TestClient = visitor("admin", **{"Accept-Language": "zh"})
    client.get("/console/_kit")
    headers = {"HX-Request": "true", "X-CSRF-Token": client.cookies["aimass_csrf"]}
    refused = client.post("/console/preferences/theme", data={"value": "pink"}, headers=headers).json()
    assert refused["detail"] == "theme 'pink' is not known"
    assert refused["told"]["text"] == "主题外观 'pink' 未知"
