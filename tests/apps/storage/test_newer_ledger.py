"""A ledger of erasures that a newer version wrote: nothing is passed over, and nobody is kept from erasing."""

from __future__ import annotations

from pathlib import Path

import pytest

from aimass.apps.storage import Storage
from aimass.apps.storage.domain import AskErasure, ListErasures
from aimass.apps.storage.jobs import doctor
from aimass.kernel.errors import Failed
from aimass.kernel.layout import DataDir
from tests.fixtures.site import whole_site


def test_the_doctor_names_it_and_what_the_database_has_is_carried_out(tmp_path: Path) -> None:
    with whole_site(tmp_path / "d") as site:
        storage = site.registry.get(Storage)
        site.registry.get(DataDir).erasures.write_text('{"format": 2, "id": "01A"}\n')
        (found,) = doctor(site.registry)
        assert (found.is_good, "format 2" in found.detail) == (False, True)
        with pytest.raises(Failed, match="format 2"):
            storage.ask_erasure(site.root, AskErasure(workspace="demo", values=["ann@example.org"]))
        assert storage.erase_due() == 1
        (one,) = storage.list_erasures(site.root, ListErasures(workspace="demo")).items
        assert (one.state, one.error) == ("SETTLING", "")
