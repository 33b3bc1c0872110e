"""Views of a platform whose tables lie in an object store (a simulator), by the tests of a folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.collector import CAPABILITY as COLLECTOR
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import SYSTEM
from aimass.lake import CAPABILITY as LAKE
from aimass.lake.views import DeleteView, ListViews
from tests.fixtures.object_store import ObjectStoreServer
from tests.fixtures.site import site_of
from tests.fixtures.stored import grant_of, stored
from tests.fixtures.views import Viewing
from tests.lake import test_views

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def platform(object_store: ObjectStoreServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewing]:
    folder = tmp_path_factory.mktemp("site")
    with stored(object_store, DataDir(folder).lake) as tables:
        grant = grant_of(object_store, tables.root, tables.bucket.place.bucket)
        with site_of(folder, [ACCESS, CLUSTER, LAKE, COLLECTOR], grant) as site:
            found = Viewing(site)
            found.put("orders", test_views.ROWS)
            yield found


@pytest.fixture
def views(platform: Viewing) -> Iterator[Viewing]:
    yield platform
    for view in platform.lake.list_views(SYSTEM, ListViews(workspace="demo")).items:
        platform.lake.delete_view(SYSTEM, DeleteView(workspace="demo", view=view.slug))


def test_a_view_keeps_types_and_tells_what_has_moved_on(views: Viewing) -> None:
    test_views.test_a_view_keeps_types_is_left_alone_while_fresh_and_tells_what_has_moved_on(views)


def test_the_policies_of_its_owner_count(views: Viewing) -> None:
    test_views.test_the_policies_of_its_owner_count_also_those_that_come_later(views)


def test_a_refresh_that_fails_keeps_what_was_made_before(views: Viewing) -> None:
    test_views.test_a_refresh_that_fails_keeps_what_was_made_before(views)


def test_an_erasure_goes_over_what_a_view_has_left(views: Viewing) -> None:
    test_views.test_an_erasure_does_not_part_a_view_from_what_an_earlier_one_has_left(views)
