"""Policies in SQL: what stands in place of a table for somebody who may not see all of it.

A table is replaced by a query that gives the visible rows and the masked columns. Every column is read as ``CASE WHEN
<visible> THEN <masked value> END`` besides the WHERE: the engine may evaluate conditions of the outer query before those of
the inner one, and a condition that fails on a hidden row would tell of it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from aimass.kernel.errors import Invalid
from aimass.lake.children.quoting import sql_name

HIDDEN = "•••"
BLOCK = 64
TOKEN_CHARS = 32
_UNITS = ("year", "quarter", "month", "week", "day", "hour")
_TEMPORAL = {"timestamp", "date"}
_NUMERIC = {"integer", "float", "decimal"}


class TokenKey:
    """The secret of a workspace, as two variables of the engine: the text of a query never carries it.

    Examples
    --------
    >>> len(TokenKey(b"k" * 32).values)
    2
    """

    def __init__(self, key: bytes) -> None:
        padded = (sha256(key).digest() if len(key) > BLOCK else key).ljust(BLOCK, b"\0")
        self.inner, self.outer = (f"k{secrets.token_hex(8)}" for _ in range(2))
        self.values = {
            self.inner: bytes(byte ^ 0x36 for byte in padded),
            self.outer: bytes(byte ^ 0x5C for byte in padded),
        }

    def expression(self, text: str) -> str:
        """Return the SQL of the HMAC-SHA-256 of a text, in hexadecimal digits, cut to 128 bits."""
        inner = f"unhex(sha256(getvariable('{self.inner}') || encode({text})))"
        return f"left(sha256(getvariable('{self.outer}') || {inner}), {TOKEN_CHARS})"


def token(key: bytes, text: str) -> str:
    """Return the token that stands for a text.

    Examples
    --------
    >>> token(b"k" * 32, "anna@example.org")
    'd1fe46432934bf70be71162811108424'
    """
    return hmac.new(key, text.encode(), sha256).hexdigest()[:TOKEN_CHARS]


def guarded(
    table: str, name: str, columns: Sequence[Mapping[str, Any]], policy: Mapping[str, Any], key: TokenKey | None
) -> exp.Query:
    """Return the query that stands for a table under a policy.

    Parameters
    ----------
    table, name
        The name of the table in the engine, and that of the dataset, by which filters may name it.
    columns
        Name and type of each column.
    policy
        ``filters`` (``sql`` and the ``granted`` values), ``masks`` (column to mask) and ``caller``, as the service decided.
    key
        What tokens are made with.
    """
    masks = {column.lower(): mask for column, mask in policy["masks"].items()}
    seen = [c for c in columns if masks.get(c["name"].lower(), {}).get("mask") != "hide"]
    if not seen:
        raise Invalid(f"a policy hides every column of {name!r}", field="sql", value=name)
    alias = f"t{secrets.token_hex(6)}"
    filters = [
        _bound(predicate(one["sql"], {**policy["caller"], **one}), name, alias, columns) for one in policy["filters"]
    ]
    shown = [(column["name"], masked(column, masks.get(column["name"].lower()), key)) for column in seen]
    if not filters:
        selected = ", ".join(f"{text} AS {sql_name(column)}" for column, text in shown)
        return _query(f"SELECT {selected} FROM {sql_name(table)}")  # noqa: S608 quoted
    visible = f"v{secrets.token_hex(6)}"
    test = " AND ".join(f"coalesce(({one.sql(dialect='duckdb', identify=True)})::BOOLEAN, false)" for one in filters)
    inner = f"SELECT *, ({test}) AS {visible} FROM {sql_name(table)} AS {alias}"  # noqa: S608 parsed before
    selected = ", ".join(f"CASE WHEN {visible} THEN {text} END AS {sql_name(column)}" for column, text in shown)
    return _query(f"SELECT {selected} FROM ({inner}) AS t WHERE {visible}")  # noqa: S608 quoted


def _bound(tree: exp.Expr, name: str, alias: str, columns: Sequence[Mapping[str, Any]]) -> exp.Expr:
    """Tie the columns of a filter to its own dataset: one that is not there must not mean a column of the query around."""
    known = {column["name"].lower(): column["name"] for column in columns}

    def tie(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column):
            return node
        if node.table.lower() not in ("", name.lower()) or node.name.lower() not in known:
            raise Invalid(
                f"a policy of {name!r} filters by {node.sql(dialect='duckdb')!r}, which is no column of it",
                field="filter",
                value=node.name,
                allowed=sorted(known.values())[:50],
            )
        return exp.column(exp.to_identifier(known[node.name.lower()], quoted=True), table=alias)

    return tree.transform(tie)


def _query(sql: str) -> exp.Query:
    made = parse_one(sql, dialect="duckdb")
    if not isinstance(made, exp.Query):
        raise Invalid("a policy makes no query", field="filter")
    return made


def masked(column: Mapping[str, Any], mask: Mapping[str, Any] | None, key: TokenKey | None) -> str:
    r"""Return the SQL of what is shown of a column.

    Examples
    --------
    >>> masked({"name": "mail", "type": "string"}, {"mask": "full"}, None)
    'CASE WHEN "mail" IS NOT NULL THEN \'•••\' END'
    """
    name, kind = sql_name(column["name"]), (mask or {}).get("mask")
    if mask is None or kind is None:
        return name
    if kind == "null":
        return f"CASE WHEN false THEN {name} END"
    text = f"CAST({name} AS VARCHAR)"
    if kind == "token" and key is not None:
        return key.expression(text)
    if kind == "round":
        return _rounded(column, name, str(mask.get("step") or ""))
    shown = f"'{HIDDEN}'"
    if kind == "partial":
        keep = int(mask.get("keep") or 4)
        shown = f"CASE WHEN length({text}) > {keep} THEN '{HIDDEN}' || right({text}, {keep}) ELSE '{HIDDEN}' END"
    return f"CASE WHEN {name} IS NOT NULL THEN {shown} END"


def _rounded(column: Mapping[str, Any], name: str, step: str) -> str:
    """Round down; a column that cannot be rounded that way is emptied."""
    if column["type"] in _TEMPORAL and step in _UNITS:
        return f"date_trunc('{step}', {name})"
    if column["type"] in _NUMERIC:
        try:
            size = float(step)
        except ValueError:
            size = 0.0
        if size > 0:
            return f"floor({name} / {size!r}) * {size!r}"
    return f"CASE WHEN false THEN {name} END"


def predicate(text: str, caller: Mapping[str, Any]) -> exp.Expr:
    """Read a row filter and put in who asks.

    ``caller()`` is the name of who asks, ``caller('id')`` and ``caller('kind')`` say more; ``in_group('g')`` and
    ``has_role('r')`` are true or false; ``granted()`` is the list of values that the policy gives to who asks.

    Examples
    --------
    >>> who = {"name": "ann", "id": "1", "kind": "user", "groups": ["emea"], "roles": [], "granted": ["EU"]}
    >>> predicate("in_group('emea') and owner = caller()", who).sql(dialect="duckdb")
    "TRUE AND owner = 'ann'"
    """
    try:
        tree = parse_one(text, dialect="duckdb")
    except (SqlglotError, RecursionError) as reason:
        what = str(reason).splitlines()[0]
        raise Invalid(f"the filter cannot be read: {what}", field="filter", value=text[:200]) from reason
    if isinstance(tree, exp.Query) or tree.find(exp.Query, exp.Table, exp.Command):
        raise Invalid("a filter asks nothing but the columns of its own dataset", field="filter", value=text[:200])
    return tree.transform(lambda node: _told(node, caller))


def _told(node: exp.Expr, caller: Mapping[str, Any]) -> exp.Expr:
    if not isinstance(node, exp.Anonymous) or node.name.lower() not in _TOLD:
        return node
    arguments = [argument.name for argument in node.expressions]
    return _TOLD[node.name.lower()](caller, *arguments[:1])


def _fact(caller: Mapping[str, Any], what: str = "name") -> exp.Expr:
    if what not in {"name", "id", "kind"}:
        raise Invalid(f"caller has no {what!r}", field="filter", value=what, allowed=["name", "id", "kind"])
    return exp.Literal.string(str(caller[what]))


def _listed(fact: str, caller: Mapping[str, Any], slug: str = "") -> exp.Expr:
    return exp.Boolean(this=slug in caller[fact])


_TOLD: Mapping[str, Any] = {
    "caller": _fact,
    "in_group": lambda caller, slug="": _listed("groups", caller, slug),
    "has_role": lambda caller, slug="": _listed("roles", caller, slug),
    "granted": lambda caller, *_: exp.cast(
        exp.Array(expressions=[exp.Literal.string(str(value)) for value in caller["granted"]]), "VARCHAR[]"
    ),
}
