"""Everything that is told about a new version of a dataset, in one call."""

from __future__ import annotations

from typing import Any

from aimass.lake.children.classify import classify
from aimass.lake.children.profile import profile
from aimass.lake.children.proposing import facts_for_rules
from aimass.lake.children.quality import kept, propose_rules, quality
from aimass.lake.children.tables import open_table, schema_of
from aimass.lake.children.values import columns_of, schema_hash


def describe_version(args: dict[str, Any]) -> dict[str, Any]:
    """Describe one version: schema, classification, profile and quality report.

    Parameters
    ----------
    args
        ``path``; ``version`` (Delta version, None: newest); ``rules`` (None: proposed from this version); ``classification``
        (None: found here); ``keys`` and ``now`` as for :func:`quality`; ``profile``: False leaves it to whoever asks first.

    Returns
    -------
    dict
        ``delta_version, rows, bytes, columns, schema_hash, classification, profile, rules, quality``.
    """
    table = open_table(args["path"], args.get("version"))
    at = {"path": args["path"], "version": table.version()}
    columns = columns_of(schema_of(table))
    findings = args.get("classification")
    if findings is None:
        findings = classify(at)["columns"]
    masked = [finding["column"] for finding in findings if finding["private"]]
    told = profile({**at, "masked": masked}) if args.get("profile", True) else None
    rules, report = args.get("rules"), None
    if rules is None and told is None:
        facts = facts_for_rules({**at, "masked": masked})
        rules = propose_rules(facts)
        report = kept(rules, facts["rows"])
    elif rules is None:
        rules = propose_rules(told or {})
    if report is None:
        report = quality({**at, "rules": rules, "keys": args.get("keys"), "masked": masked, "now": args.get("now")})
    return {
        "delta_version": at["version"],
        "rows": report["rows"],
        "bytes": size_bytes(args["path"], at["version"]),
        "columns": columns,
        "schema_hash": schema_hash(columns),
        "classification": findings,
        "profile": told or {"rows": report["rows"], "columns": None},
        "rules": rules,
        "quality": report,
    }


def size_bytes(path: str, version: int) -> int:
    """Add up the bytes of the files of a version."""
    actions = open_table(path, version).get_add_actions(flatten=True)
    return sum(int(size) for size in actions.column("size_bytes").to_pylist())
