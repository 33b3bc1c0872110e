"""The suite knows nothing of a login of whoever runs it, and no test of another one's."""

from __future__ import annotations

from pathlib import Path

import pytest

from aimass.client.settings import ClientSettings, config_path, read_settings, save_settings

SEEN: list[Path] = []


@pytest.mark.parametrize("turn", [1, 2])
def test_a_login_is_known_to_its_own_test_alone(turn: int) -> None:
    assert read_settings() == ClientSettings()
    assert not config_path().is_relative_to(Path.home() / ".config")
    assert config_path() not in SEEN
    save_settings(ClientSettings(url=f"http://127.0.0.1:{turn}", key="ais_mine"))
    assert read_settings().key == "ais_mine"
    SEEN.append(config_path())
