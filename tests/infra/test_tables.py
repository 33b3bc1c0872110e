"""Every place of tables passes the same suite."""

from pathlib import Path

from aimass.infra.tables import FolderTables, Tables, mount, tables_of, unmount
from aimass.infra.tables.contract import TablesContract


class TestFolders(TablesContract):
    __test__ = True

    def make(self, root: Path) -> Tables:
        return FolderTables()

    def again(self, tables: Tables, root: Path) -> Tables:
        return FolderTables()


def test_a_path_belongs_to_the_place_that_is_mounted_above_it(tmp_path: Path) -> None:
    tables = FolderTables()
    mount(tmp_path / "lake", tables)
    try:
        assert tables_of(tmp_path / "lake" / "visits") is tables
        assert tables_of(tmp_path / "lake-2" / "visits") is not tables
    finally:
        unmount(tmp_path / "lake")
    assert tables_of(tmp_path / "lake" / "visits") is not tables
