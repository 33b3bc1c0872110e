"""Erasure of one data subject, proven by the bytes that are left."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from aimass.infra.tables import LOG, tables_of
from aimass.kernel.erasing import Person, pattern
from aimass.kernel.errors import NotFound
from aimass.lake.children.engines import engine
from aimass.lake.children.log import entries, without_checkpoint
from aimass.lake.children.query import batches
from aimass.lake.children.quoting import sql_literal, sql_name
from aimass.lake.children.rewrite import attach
from aimass.lake.children.tables import Commit, Stream, commit_held, exists, lease, names, open_table, open_target


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """What is looked for: cells that equal a value, and texts that hold one as a whole word."""

    columns: list[str]
    texts: list[str]
    person: Person

    @property
    def words(self) -> str:
        """Return the pattern of a text that names the person, for engines that cannot look around."""
        return pattern(self.person.words, look_around=False)

    def sql(self) -> str:
        """Return the condition that a row names the person."""
        same = ", ".join(sql_literal(value) for value in self.person.values)
        cells = [f"CAST({sql_name(column)} AS VARCHAR) IN ({same})" for column in self.columns]
        if self.person.words:
            cells += [f"regexp_matches({sql_name(column)}, {sql_literal(self.words)})" for column in self.texts]
        return " OR ".join(cells) or "FALSE"

    def expr(self, schema: dict[str, Any]) -> pl.Expr:
        """Return the same for a data file, whatever columns it has."""
        found = [pl.col(c).cast(pl.String).is_in(self.person.values) for c in self.columns if c in schema]
        if self.person.words:
            found += [pl.col(c).str.contains(self.words) for c in self.texts if schema.get(c) == pl.String]
        return pl.any_horizontal(found) if found else pl.lit(value=False)


def erase(args: dict[str, Any]) -> dict[str, Any]:
    """Erase the rows of one data subject from every version of a table; a table without them is left as it is.

    The rows that stay are written anew, because a deletion by predicate would keep the value in the log. The vacuum then
    removes the files that hold the subject, so versions that need one of these can no longer be read; others can. Smallest
    and largest values that name the subject leave the log.

    Parameters
    ----------
    args
        ``path``; ``values`` that name the subject; ``columns`` whose cells are compared, ``texts``: columns that may hold a
        value as a word; ``kept``: Delta versions that are to stay readable if they can; ``app_id``: name of the erasure, the
        same one again changes nothing.

    Returns
    -------
    dict
        ``deleted`` rows of the newest version, ``version`` (the newest, if this erasure wrote it), ``lost``: those of ``kept`` that
        can be read no more, ``found``: files that still hold the subject (none when all is well).
    """
    path = str(args["path"])
    if not exists(path):
        return {"deleted": 0, "version": None, "lost": [], "found": []}
    with lease(path):
        search, kept = _search(path, args), [int(version) for version in args.get("kept") or []]
        held = set(_holding(path, search))
        logs = list(_logs_holding(path, search.person))
        deleted, found = _purge(path, search, held, kept) if held or logs else (0, list[str]())
        newest, is_mine = _newest(path, search.person)
        lost = [version for version in kept if version != newest and not _is_whole(path, version)]
        return {"deleted": deleted, "version": newest if is_mine else None, "lost": lost, "found": found}


def _purge(path: str, search: _Search, held: set[str], kept: list[int]) -> tuple[int, list[str]]:
    """Write the newest version without the subject, and remove every file and every word of the log that holds him."""
    deleted = _rewrite(path, search)
    newest = open_table(path).version()
    known = {version: _files(path, version) for version in kept if version != newest}
    clean = [version for version, found in known.items() if found is not None and not held & found]
    keep = [*clean, newest]
    open_target(path).vacuum(0, dry_run=False, enforce_retention_duration=False, full=True, keep_versions=keep)
    clean_log(path, search.person, kept=clean)
    tables_of(path).sweep(Path(path))
    return deleted, [*_holding(path, search), *(str(log) for log in _logs_holding(path, search.person))]


def _newest(path: str, person: Person) -> tuple[int, bool]:
    """Return the newest version that changed rows, and whether this erasure wrote it; upkeep leaves commits of its own."""
    for entry in entries(path):
        if not str(entry.info.get("operation", "")).startswith("VACUUM"):
            mine = str(entry.info.get("aimass.transaction", "")).startswith(f"{person.erasure}/")
            return entry.version, mine
    return open_table(path).version(), False


def _is_whole(path: str, version: int) -> bool:
    found = _files(path, version)
    there = {f"{path}/{file.name}" for file in tables_of(path).files(Path(path))}
    return found is not None and found <= there


def _files(path: str, version: int) -> set[str] | None:
    """Return the data files of a version, None when the log cannot tell it any more."""
    try:
        return {f"{path}/{name}" for name in names(open_table(path, version))}
    except NotFound:
        return None


def _search(path: str, args: dict[str, Any]) -> _Search:
    schema = open_table(path).schema().fields
    texts = {field.name for field in schema if str(field.type) == 'PrimitiveType("string")'}
    names = {field.name for field in schema}
    return _Search(
        columns=[c for c in args.get("columns") or [] if c in names],
        texts=[c for c in args.get("texts") or [] if c in texts],
        person=Person(erasure=str(args["app_id"]), values=tuple(map(str, args["values"]))),
    )


def _rewrite(path: str, search: _Search) -> int:
    """Write the other rows as the newest version; do nothing when no row matches."""
    same = search.sql()
    with engine() as con:
        attach(con, {"t": {"path": path}})
        rows = con.execute(f"SELECT count(*) FROM t WHERE {same}").fetchall()  # noqa: S608 quoted
        if rows[0][0]:
            reader = batches(con.sql(f"SELECT * FROM t WHERE ({same}) IS NOT TRUE"))  # noqa: S608 quoted
            order = Commit(app_id=search.person.erasure, batch=open_table(path).version() + 1, mode="overwrite")
            commit_held(path, Stream(reader.schema, iter(reader)), order)
        return int(rows[0][0])


def _holding(path: str, search: _Search) -> Iterator[str]:
    """Yield the data files in which a row names the subject, of whatever version."""
    tables = tables_of(path)
    for name in [file.name for file in tables.files(Path(path)) if file.is_data]:
        tables.bring(Path(path), [name])
        frame = pl.scan_parquet(f"{path}/{name}", glob=False)
        match = search.expr(dict(frame.collect_schema())).fill_null(value=False)
        if frame.select(match.any()).collect().item():
            yield f"{path}/{name}"


def _logs_holding(path: str, person: Person) -> Iterator[Path]:
    """Yield the files of the log that hold a value."""
    tables_of(path).refresh(Path(path))
    for log in sorted(Path(path, LOG).iterdir()):
        if (log.suffix == ".json" and any(_names(line, person) for line in log.read_text().splitlines())) or (
            log.suffix == ".parquet" and person.is_in(pl.read_parquet(log).write_ndjson())
        ):
            yield log


def _names(line: str, person: Person) -> bool:
    return line != _without(line, person)


def clean_log(path: str, person: Person, *, history: bool = True, kept: Iterable[int] = ()) -> None:
    """Take what names the subject out of the log of a table; the caller holds the lease.

    With ``history`` commits are kept without the words, and a checkpoint goes; the ``kept`` versions that only it led to get
    checkpoints of their own. Without, a new checkpoint takes the place of all that hold the words.
    """
    held = list(_logs_holding(path, person))
    if held and not history:
        open_target(path).create_checkpoint()
        newest = f"{open_table(path).version():020d}."
        tables_of(path).remove(Path(path), (f"{LOG}/{log.name}" for log in held if log.name < newest))
        return
    for log in held:
        if log.suffix == ".parquet":
            without_checkpoint(path, log, kept)
            continue
        text = "".join(_without(line, person) + "\n" for line in log.read_text().splitlines())
        tables_of(path).rewrite(Path(path), f"{LOG}/{log.name}", text.encode())


def _without(line: str, person: Person) -> str:
    """Return an action of the log without what names the subject: statistics shrink to the number of rows."""
    action = json.loads(line)
    added = action.get("add")
    if added and added.get("stats"):
        stats = json.loads(added["stats"])
        if person.scrubbed(stats) != stats:
            added["stats"] = json.dumps({"numRecords": stats.get("numRecords")})
            return json.dumps(action)
    scrubbed = person.scrubbed(action) if "commitInfo" in action else action
    return line if scrubbed == action else json.dumps(scrubbed)


def mentions(args: dict[str, Any]) -> dict[str, Any]:
    """Count the rows of the newest version that hold a value in a column that an erasure did not look at.

    Parameters
    ----------
    args
        ``path``, ``values``, and ``but``: columns that were looked at.

    Returns
    -------
    dict
        ``columns``: name to number of rows.
    """
    path = str(args["path"])
    if not exists(path):
        return {"columns": {}}
    names = [field.name for field in open_table(path).schema().fields if field.name not in set(args["but"])]
    search = _search(path, {**args, "texts": names, "columns": names, "app_id": ""})
    found: dict[str, int] = {}
    with engine() as con:
        attach(con, {"t": {"path": path}})
        for name in names:
            one = replace(search, columns=[], texts=[c for c in search.texts if c == name])
            rows = con.execute(f"SELECT count(*) FROM t WHERE {one.sql()}").fetchall()  # noqa: S608 quoted
            if rows[0][0]:
                found[name] = int(rows[0][0])
    return {"columns": found}
