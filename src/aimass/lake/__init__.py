"""The lake: datasets with versions, profiles, rules, quality reports, classification and queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.lake.capability import CAPABILITY
    from aimass.lake.children.classify import classify_frame
    from aimass.lake.children.describe import describe_version
    from aimass.lake.children.engines import engine
    from aimass.lake.children.erase import clean_log
    from aimass.lake.children.fold import fold
    from aimass.lake.children.parts import Part, commit_parts, part_of
    from aimass.lake.children.quoting import sql_literal, sql_name
    from aimass.lake.children.room import DiskFull, minding_the_disk
    from aimass.lake.children.tables import (
        Carried,
        Commit,
        Committed,
        Stream,
        carried,
        columns_now,
        commit,
        committed_before,
        exists,
        is_marked,
        lease,
        open_newest,
        open_table,
        open_target,
        scan,
    )
    from aimass.lake.children.values import column_type, plain, type_name
    from aimass.lake.children.widen import widen
    from aimass.lake.commands import (
        AboutVersion,
        CreateDataset,
        ListDatasets,
        ListVersions,
        NewVersion,
        OneDataset,
        OneVersion,
        PreviewRows,
        QueryRows,
        VersionOrder,
    )
    from aimass.lake.console.sheet import dataset_sheet
    from aimass.lake.domain import Dataset, DatasetVersion, Location
    from aimass.lake.service.ground import submit_once
    from aimass.lake.service.lake import Lake
    from aimass.lake.settings import LakeSettings
    from aimass.lake.sharing import Recipient, Share, SharedTable, TableRead

__getattr__, __dir__ = door(
    __name__,
    {
        "AboutVersion": "aimass.lake.commands",
        "CAPABILITY": "aimass.lake.capability",
        "Commit": "aimass.lake.children.tables",
        "Committed": "aimass.lake.children.tables",
        "CreateDataset": "aimass.lake.commands",
        "Dataset": "aimass.lake.domain",
        "DatasetVersion": "aimass.lake.domain",
        "DiskFull": "aimass.lake.children.room",
        "Lake": "aimass.lake.service.lake",
        "LakeSettings": "aimass.lake.settings",
        "ListDatasets": "aimass.lake.commands",
        "ListVersions": "aimass.lake.commands",
        "Location": "aimass.lake.domain",
        "NewVersion": "aimass.lake.commands",
        "OneDataset": "aimass.lake.commands",
        "OneVersion": "aimass.lake.commands",
        "Part": "aimass.lake.children.parts",
        "PreviewRows": "aimass.lake.commands",
        "QueryRows": "aimass.lake.commands",
        "Recipient": "aimass.lake.sharing",
        "Share": "aimass.lake.sharing",
        "SharedTable": "aimass.lake.sharing",
        "Stream": "aimass.lake.children.tables",
        "TableRead": "aimass.lake.sharing",
        "VersionOrder": "aimass.lake.commands",
        "clean_log": "aimass.lake.children.erase",
        "Carried": "aimass.lake.children.tables",
        "carried": "aimass.lake.children.tables",
        "classify_frame": "aimass.lake.children.classify",
        "column_type": "aimass.lake.children.values",
        "commit": "aimass.lake.children.tables",
        "commit_parts": "aimass.lake.children.parts",
        "part_of": "aimass.lake.children.parts",
        "committed_before": "aimass.lake.children.tables",
        "dataset_sheet": "aimass.lake.console.sheet",
        "describe_version": "aimass.lake.children.describe",
        "engine": "aimass.lake.children.engines",
        "exists": "aimass.lake.children.tables",
        "fold": "aimass.lake.children.fold",
        "is_marked": "aimass.lake.children.tables",
        "lease": "aimass.lake.children.tables",
        "minding_the_disk": "aimass.lake.children.room",
        "columns_now": "aimass.lake.children.tables",
        "open_newest": "aimass.lake.children.tables",
        "open_table": "aimass.lake.children.tables",
        "open_target": "aimass.lake.children.tables",
        "plain": "aimass.lake.children.values",
        "scan": "aimass.lake.children.tables",
        "sql_literal": "aimass.lake.children.quoting",
        "sql_name": "aimass.lake.children.quoting",
        "submit_once": "aimass.lake.service.ground",
        "type_name": "aimass.lake.children.values",
        "widen": "aimass.lake.children.widen",
    },
)
__all__ = [
    "CAPABILITY",
    "AboutVersion",
    "Carried",
    "Commit",
    "Committed",
    "CreateDataset",
    "Dataset",
    "DatasetVersion",
    "DiskFull",
    "Lake",
    "LakeSettings",
    "ListDatasets",
    "ListVersions",
    "Location",
    "NewVersion",
    "OneDataset",
    "OneVersion",
    "Part",
    "PreviewRows",
    "QueryRows",
    "Recipient",
    "Share",
    "SharedTable",
    "Stream",
    "TableRead",
    "VersionOrder",
    "carried",
    "classify_frame",
    "clean_log",
    "column_type",
    "columns_now",
    "commit",
    "commit_parts",
    "committed_before",
    "dataset_sheet",
    "describe_version",
    "engine",
    "exists",
    "fold",
    "is_marked",
    "lease",
    "minding_the_disk",
    "open_newest",
    "open_table",
    "open_target",
    "part_of",
    "plain",
    "scan",
    "sql_literal",
    "sql_name",
    "submit_once",
    "type_name",
    "widen",
]
