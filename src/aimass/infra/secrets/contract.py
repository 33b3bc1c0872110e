"""The suite that every adapter of the secrets port passes: inherit it, give ``make``, and pytest runs it."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import pytest

from aimass.infra.secrets.port import Secrets
from aimass.kernel.errors import Failed

ABOUT = "user:01J/totp"


class SecretsContract:
    """Inherit as ``class TestMine(SecretsContract)``."""

    __test__ = False
    rotates = True

    @abstractmethod
    def make(self, folder: Path) -> Secrets:
        """Open the adapter; called twice with one folder it finds the same keys again."""

    @pytest.mark.parametrize("plain", [b"", b"s3cret", bytes(range(256)) * 40])
    def test_what_was_sealed_opens_again(self, tmp_path: Path, plain: bytes) -> None:
        """Any bytes come back."""
        secrets = self.make(tmp_path)
        assert secrets.unseal(secrets.seal(plain, about=ABOUT), about=ABOUT) == plain

    def test_a_second_instance_opens_it_too(self, tmp_path: Path) -> None:
        """The keys are kept between starts."""
        sealed = self.make(tmp_path).seal(b"s3cret", about=ABOUT)
        assert self.make(tmp_path).unseal(sealed, about=ABOUT) == b"s3cret"

    def test_the_value_is_not_in_the_sealed_bytes_and_no_two_are_alike(self, tmp_path: Path) -> None:
        """Nothing leaks, not even that two values are equal."""
        secrets = self.make(tmp_path)
        first, second = (secrets.seal(b"s3cret" * 9, about=ABOUT) for _ in range(2))
        assert first != second
        assert b"s3cret" not in first

    def test_a_value_does_not_open_in_another_place(self, tmp_path: Path) -> None:
        """A sealed value is bound to what it is about."""
        secrets = self.make(tmp_path)
        sealed = secrets.seal(b"s3cret", about=ABOUT)
        with pytest.raises(Failed):
            secrets.unseal(sealed, about="user:01K/totp")

    def test_every_flipped_byte_is_noticed(self, tmp_path: Path) -> None:
        """Damage anywhere is refused."""
        secrets = self.make(tmp_path)
        sealed = secrets.seal(b"s3cret", about=ABOUT)
        for at in range(len(sealed)):
            broken = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
            with pytest.raises(Failed):
                secrets.unseal(broken, about=ABOUT)

    def test_a_cut_value_is_refused(self, tmp_path: Path) -> None:
        """A cut at any place is refused."""
        secrets = self.make(tmp_path)
        sealed = secrets.seal(b"", about=ABOUT)
        for length in range(len(sealed)):
            with pytest.raises(Failed):
                secrets.unseal(sealed[:length], about=ABOUT)

    def test_the_header_names_the_master_key(self, tmp_path: Path) -> None:
        """The key's id can be read without opening the value."""
        secrets = self.make(tmp_path)
        assert secrets.key_of(secrets.seal(b"s3cret", about=ABOUT)) == secrets.current_key()

    def test_after_a_rotation_old_values_open_and_can_move_to_the_new_key(self, tmp_path: Path) -> None:
        """Rotation loses nothing."""
        if not self.rotates:
            pytest.skip("this adapter is rotated from outside")
        secrets = self.make(tmp_path)
        old = secrets.seal(b"s3cret", about=ABOUT)
        new_key = secrets.rotate()
        moved = secrets.reseal(old, about=ABOUT)
        assert secrets.key_of(old) != new_key == secrets.key_of(moved) == secrets.current_key()
        assert secrets.unseal(old, about=ABOUT) == secrets.unseal(moved, about=ABOUT) == b"s3cret"
