"""No page of the console is forgotten: each is listed with what it needs, asks a question, and has its place."""

from __future__ import annotations

import re

import pytest

from aimass.bootstrap.discovery import capabilities
from tests.fixtures.pages import PAGES, PARTS
from tools.generation.pages import console_pages

FOUND = console_pages(capabilities())


def test_every_page_of_the_console_is_listed_with_what_it_needs():
    listed = {*PAGES, *PARTS}
    assert sorted(page.path for page in FOUND if page.path not in listed) == [], "list it in tests/fixtures/pages.py"
    assert sorted(listed - {page.path for page in FOUND}) == [], "it is gone: take it out of tests/fixtures/pages.py"


@pytest.mark.parametrize("page", [page for page in FOUND if page.path in PAGES], ids=lambda page: page.path)
def test_every_page_asks_a_question(page):
    assert re.fullmatch(r"[^?]{10,}.*\?", page.question), (
        "write the question that it answers in 5 seconds into its docstring"
    )


def test_every_page_of_the_menu_is_a_listed_one_with_the_same_permission():
    places = [place for capability in capabilities() for place in capability.pages]
    different = [
        (place.path, place.permission, PAGES[place.path].needs)
        for place in places
        if PAGES[place.path].needs not in (place.permission, "signed-in")
    ]
    assert different == []
