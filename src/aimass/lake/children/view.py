"""The job ``lake.refresh_view``: what a view asks becomes the next version of its dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimass.lake.children.classify import SAMPLE, classify_frame
from aimass.lake.children.describe import describe_version
from aimass.lake.children.query import sample
from aimass.lake.children.selecting import LONGEST_S, materialise
from aimass.lake.children.tables import exists, scan


def refresh(ctx: Any) -> dict[str, Any]:
    """Replace the rows in one commit, once, and describe the version.

    Parameters
    ----------
    ctx
        Its ``params``: ``path`` of the target, ``refresh``: the key of the transaction; ``sql``, ``parameters``, ``tables`` (name in
        SQL to ``{path, version}``); ``inherited``: what the sources know of personal data; ``describe``: arguments of
        ``describe_version``.
    """
    order = ctx.params
    ctx.report(0.1, "query")
    args = {name: order[name] for name in ("path", "sql", "parameters", "tables")}
    args |= {"app_id": f"view:{order['refresh']}", "batch": 1, "mode": "overwrite", "spill": str(ctx.work)}
    findings = order["describe"].get("classification")
    if not exists(order["path"]):
        if findings is None:
            more = {"parameters": order["parameters"], "timeout_s": LONGEST_S, "spill": str(ctx.work)}
            rows = sample(order["sql"], order["tables"], SAMPLE, **more)
            findings = _with(classify_frame(rows), order["inherited"], rows.columns)
        args["private"] = [f["column"] for f in findings if f["private"]] + order["describe"]["keys"]
    done = materialise(args)
    ctx.report(0.6, "describe", rows=done["rows"])
    at = {"path": order["path"], "version": done["version"]}
    if findings is None:
        rows = scan(**at).head(SAMPLE).collect()
        findings = _with(classify_frame(rows), order["inherited"], rows.columns)
    version = describe_version({**order["describe"], **at, "classification": findings})
    return {"rows": done["rows"], "already": done["already"], "version": version}


def _with(found: list[dict[str, Any]], inherited: list[Mapping[str, Any]], columns: list[str]) -> list[dict[str, Any]]:
    """Let a column that holds personal data in a source be one under the same name in the view too."""
    known = {finding["column"]: dict(finding) for finding in inherited if finding["column"] in columns}
    return list({**{finding["column"]: finding for finding in found}, **known}.values())
