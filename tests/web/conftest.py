from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from tests.fixtures.console import console_app

PAGE = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def visitor() -> Callable[..., TestClient]:
    """Give a browser without JavaScript, signed in as somebody (or as nobody)."""
    app = console_app()

    def sign_in(name: str = "", **headers: str) -> TestClient:
        client = TestClient(app, headers={**PAGE, **headers}, follow_redirects=False)
        if name:
            client.cookies.set("as", name)
        return client

    return sign_in
