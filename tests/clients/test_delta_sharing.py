"""The unmodified clients of Delta Sharing in an environment of their own: delta-sharing with pandas, and DuckDB."""

from __future__ import annotations

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.collector import CAPABILITY as COLLECTOR
from aimass.lake import CAPABILITY as LAKE
from aimass.lake.history import MergeRows
from aimass.lake.sharing import CreateRecipient, CreateShare, ShareDataset
from aimass.protocols.deltasharing import CAPABILITY as DELTA_SHARING
from tests.clients.environments import run_client
from tests.fixtures.browser import serving
from tests.fixtures.data import ANN, Data
from tests.fixtures.rooms import Rooms
from tests.fixtures.site import site_of

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
ROWS = "id,city,age,joined\n1,Kiel,30,2026-01-02\n2,Ulm,40,2026-01-03\n3,Bonn,,2026-01-04\n"


def test_pandas_and_duckdb_read_a_shared_table(tmp_path):
    with site_of(tmp_path / "site", [ACCESS, CLUSTER, LAKE, COLLECTOR, DELTA_SHARING]) as site:
        data = Data(Rooms(site.folder, [], registry=site.registry))
        data.collect(ROWS, source={"keys": ["id"]})
        lake = data.lake
        lake.merge_rows(
            ANN, MergeRows(workspace="demo", dataset="customers", rows=[{"id": 4, "city": "客户", "age": 60}])
        )
        lake.create_share(ANN, CreateShare(workspace="demo", share="partners"))
        lake.share_dataset(ANN, ShareDataset(workspace="demo", share="partners", dataset="customers", history=True))
        with serving(site.app) as url:
            wish = CreateRecipient(workspace="demo", name="Partner Ltd", shares=["partners"], endpoint=url)
            told = {"profile": lake.create_recipient(ANN, wish).profile, "table": "partners.default.customers"}
            found = run_client("delta-sharing", "delta_sharing_client", told)
    assert (found["shares"], found["schemas"]) == (["partners"], ["default"])
    assert (found["tables"], found["version"]) == (["partners.default.customers"], 2)
    assert [row[:2] for row in found["rows"]] == [["1", "Kiel"], ["2", "Ulm"], ["3", "Bonn"], ["4", "客户"]]
    assert found["columns"]["city"] == "object"
    assert (found["limited"], found["first"], found["duckdb"]) == (2, 3, [4, 130])
