from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

from aimass.infra.secrets import (
    EnvironmentSecrets,
    KeyFileSecrets,
    SecretsContract,
    SecretsSettings,
    Signature,
    SigningKeys,
    open_secrets,
)
from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import Conflict, Failed, Invalid

NEW, OLD = (b64encode(bytes([letter]) * 32).decode() for letter in (1, 2))


class TestKeyFile(SecretsContract):
    __test__ = True

    def make(self, folder: Path) -> KeyFileSecrets:
        return KeyFileSecrets(folder / "keys" / "secrets.json")


class TestEnvironment(SecretsContract):
    __test__ = True
    rotates = False

    def make(self, folder: Path) -> EnvironmentSecrets:
        return EnvironmentSecrets(f"{NEW},{OLD}")


def test_the_key_file_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "secrets.json"
    KeyFileSecrets(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(Failed, match="can be read by others"):
        KeyFileSecrets(path)


def test_a_rotation_by_another_process_is_seen(tmp_path: Path) -> None:
    mine, theirs = (KeyFileSecrets(tmp_path / "secrets.json") for _ in range(2))
    key = theirs.rotate()
    sealed = theirs.seal(b"s3cret", about="a")
    assert mine.current_key() == key
    assert mine.unseal(sealed, about="a") == b"s3cret"


def test_a_lost_master_key_is_named(tmp_path: Path) -> None:
    sealed = KeyFileSecrets(tmp_path / "one.json").seal(b"s3cret", about="a")
    other = KeyFileSecrets(tmp_path / "two.json")
    with pytest.raises(Failed, match=other.key_of(sealed)):
        other.unseal(sealed, about="a")


def test_the_environment_rotates_by_putting_a_new_key_first() -> None:
    old = EnvironmentSecrets(OLD).seal(b"s3cret", about="a")
    both = EnvironmentSecrets(f"{NEW}, {OLD}")
    assert both.unseal(old, about="a") == b"s3cret"
    assert both.key_of(both.reseal(old, about="a")) == both.current_key() == EnvironmentSecrets(NEW).current_key()
    with pytest.raises(Conflict):
        both.rotate()


@pytest.mark.parametrize("text", ["", "  ", "not base64!", "c2hvcnQ="])
def test_a_bad_master_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        EnvironmentSecrets(text)
    assert "base64 of 32 bytes" in str(caught.value.allowed)
    assert "c2hvcnQ" not in json.dumps(caught.value.problem())


def test_settings_choose_the_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_secrets(SecretsSettings(), tmp_path), KeyFileSecrets)
    monkeypatch.setenv("AIMASS_SECRETS_ADAPTER", "environment")
    monkeypatch.setenv("AIMASS_SECRETS_KEYS", NEW)
    assert isinstance(open_secrets(SecretsSettings(), tmp_path), EnvironmentSecrets)


def test_a_signature_verifies_after_rotation_and_a_changed_message_does_not(tmp_path: Path) -> None:
    keys = SigningKeys(tmp_path / "audit.json", SystemClock())
    signature = keys.sign(b"head")
    keys.rotate()
    assert keys.verify(b"head", signature)
    assert not keys.verify(b"heaD", signature)
    assert not keys.verify(b"head", Signature(key="unknown", value=signature.value))
    assert keys.sign(b"head").key != signature.key


def test_a_rotation_destroys_the_old_private_key(tmp_path: Path) -> None:
    keys = SigningKeys(tmp_path / "jwt.json", SystemClock())
    private = keys.jwk()["d"]
    current = keys.rotate()
    assert private not in (tmp_path / "jwt.json").read_text()
    assert keys.jwks()["keys"][0]["kid"] == current
    assert all("d" not in key for key in keys.jwks()["keys"])
