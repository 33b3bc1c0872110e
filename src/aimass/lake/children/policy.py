"""Row filters, tried before they count."""

from __future__ import annotations

from typing import Any

import duckdb

from aimass.kernel.errors import Invalid
from aimass.lake.children.engines import engine
from aimass.lake.children.guard import checked_text
from aimass.lake.children.masks import guarded, predicate
from aimass.lake.children.quoting import sql_name
from aimass.lake.children.rewrite import Prepared
from aimass.lake.children.values import sql_type

_NOBODY = {"id": "", "name": "", "kind": "user", "groups": [], "roles": [], "granted": []}


def check(args: dict[str, Any]) -> dict[str, Any]:
    """Say whether a row filter can be applied to a dataset.

    Parameters
    ----------
    args
        ``dataset``; ``filter``; ``columns`` (name and type), or None while the dataset has none.
    """
    text, columns = str(args["filter"]), args.get("columns")
    if columns is None:
        predicate(text, _NOBODY)
        return {"checked": False}
    policy = {"filters": [{"sql": text, "granted": []}], "masks": {}, "caller": _NOBODY}
    query = guarded("d", str(args["dataset"]), columns, policy, None)
    sql = _in_its_words(lambda: checked_text(query, {"d"}))
    test = predicate(text, _NOBODY).sql(dialect="duckdb", identify=True)
    empty = ", ".join(f"NULL::{sql_type(c)} AS {sql_name(c['name'])}" for c in columns)
    with engine(64, 1) as con:
        con.execute(f"CREATE TEMP VIEW d AS SELECT {empty} WHERE false")
        try:
            con.sql(sql).fetchall()
            kind = str(con.sql(f"SELECT ({test}) FROM d AS {sql_name(str(args['dataset']))}").types[0])  # noqa: S608 checked
        except duckdb.Error as reason:
            said = Prepared(text="").said(str(reason).splitlines()[0])
            raise Invalid(f"the filter cannot be applied: {said}", field="filter", value=text[:200]) from None
    if kind not in {"BOOLEAN", '"NULL"', "NULL"}:
        raise Invalid(f"a filter is true or false, not {kind}", field="filter", value=text[:200])
    return {"checked": True}


def _in_its_words(checked: Any) -> str:
    try:
        return checked()
    except Invalid as reason:
        raise Invalid(str(reason), field="filter", value=reason.value) from reason
