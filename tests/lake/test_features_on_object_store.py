"""Features and training sets of a platform whose tables lie in an object store (a simulator), by the tests of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.data import Data, data_rooms
from tests.fixtures.features import fill
from tests.fixtures.object_store import ObjectStoreServer
from tests.lake import test_features

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture
def data(object_store: ObjectStoreServer, tmp_path: Path) -> Iterator[Data]:
    with data_rooms(tmp_path / "data", object_store) as found:
        fill(found)
        yield found


def test_a_training_set_holds_what_was_known(data: Data) -> None:
    test_features.test_a_training_set_holds_what_was_known_with_its_lineage_and_versions(data)


def test_it_is_built_again_alike_after_upkeep(data: Data) -> None:
    test_features.test_it_is_built_again_alike_after_later_rows_upkeep_and_a_changed_view(data)


def test_a_pinned_version_outlives_retention(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    test_features.test_a_version_that_retention_took_is_said_and_a_pinned_one_stays(data, monkeypatch)
