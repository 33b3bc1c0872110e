"""Every action of the console names the operation by which a program does the same."""

from __future__ import annotations

import re

from fastapi.routing import APIRoute

from aimass.bootstrap.discovery import capabilities
from aimass.kernel.capability import load
from aimass.kernel.usecase import use_cases
from tests.fixtures.messages import SOURCE

CALL = re.compile(r"ui\.(?:form|button|menu_item)\((?:[^()]|\([^()]*\))*\)|<[^>]*\shx-(?:post|put|patch|delete)=[^>]*>")
CHANGES = re.compile(r"hx[_-](?:post|put|patch|delete)=")
PREFERENCE = "/console/preferences/"  # theme and language are the browser's, not the platform's
NAMED = re.compile(r"""data[_-]operation=""")  # a macro passes on the name that its caller gives
OPERATION = re.compile(r"""data[_-]operation=["']([\w.]+)["']""")


def _actions() -> list[tuple[str, str]]:
    """Return each form and button of a room's template that changes something."""
    templates = [p for p in sorted(SOURCE.glob("**/templates/**/*.html")) if not p.is_relative_to(SOURCE / "web")]
    calls = [(str(p.relative_to(SOURCE)), call) for p in templates for call in CALL.findall(p.read_text("utf-8"))]
    of_the_platform = [(where, call) for where, call in calls if PREFERENCE not in call]
    return [(where, call) for where, call in of_the_platform if "ui.form(" in call or CHANGES.search(call)]


def test_every_action_of_a_room_names_its_operation():
    assert [f"{where}: {call}" for where, call in _actions() if not NAMED.search(call)] == []


def test_every_operation_that_an_action_names_exists():
    found = capabilities()
    known = {case.name for c in found if c.service for case in use_cases(load(c.service))}
    known |= {route.operation_id for c in found if c.api for route in load(c.api).routes if isinstance(route, APIRoute)}
    named = {name for _, call in _actions() for name in OPERATION.findall(call)}
    assert sorted(named - known) == []
