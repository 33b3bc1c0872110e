"""The job ``lake.make_version``: rows from a file, or from SQL, become the next version of a dataset."""

from __future__ import annotations

from typing import Any

from aimass.lake.children.append import append, incoming
from aimass.lake.children.classify import SAMPLE, classify_frame
from aimass.lake.children.describe import describe_version
from aimass.lake.children.merge import merge
from aimass.lake.children.query import sample
from aimass.lake.children.selecting import materialise, selected
from aimass.lake.children.tables import exists


def make(ctx: Any) -> dict[str, Any]:
    """Commit the rows once and describe the version.

    Parameters
    ----------
    ctx
        Its ``params``: a ``VersionOrder``, ``path`` of the table, and ``describe``: arguments of ``describe_version``.
    """
    order = ctx.params
    ctx.report(0.1, "write")
    args = {"path": order["path"], "app_id": f"order:{order['key']}", "batch": 1, "mode": order["mode"]}
    if not exists(order["path"]):
        args["private"] = [f["column"] for f in _findings(order) if f["private"]] + order["describe"]["keys"]
    if order["mode"] == "merge" and order.get("sql"):
        done = merge({**args, "keys": order["describe"]["keys"]}, selected(order["sql"], order["tables"]))
        done["rows"] = done["inserted"] + done["updated"]
    elif order.get("sql"):
        done = materialise({**args, "sql": order["sql"], "tables": order["tables"]})
    elif order["mode"] == "merge":
        done = merge({**args, "keys": order["describe"]["keys"], "parquet": order.get("parquet")})
        done["rows"] = done["inserted"] + done["updated"]
    else:
        done = append({**args, "parquet": order.get("parquet"), "ndjson": order.get("ndjson")})
    ctx.report(0.6, "describe", rows=done["rows"])
    version = describe_version({**order["describe"], "path": order["path"], "version": done["version"]})
    return {"rows": done["rows"], "already": done["already"], "version": version}


def _findings(order: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is known, or found in the first rows, of personal data: it has to be known before the table is made."""
    known = order["describe"].get("classification")
    if known is not None:
        return known
    rows = sample(order["sql"], order["tables"], SAMPLE) if order.get("sql") else incoming(order).head(SAMPLE)
    return classify_frame(rows)
