"""The job ``training.split``: give every row of a dataset version its part, by a seed that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Invalid
from aimass.training.children.table import SPLIT_FILE, Source, identities, labels, read_rows
from aimass.training.errors import Unlearnable

PARTS = ("train", "validation", "test", "future")
_ASIDE = ("future", "none")


def split(ctx: Any) -> dict[str, Any]:
    """Write ``split.parquet`` (row, part, identity) and return its hash and counts.

    The payload has ``dataset`` (``path``, ``version``), ``target``, ``key``, ``fractions`` by part, ``seed``,
    ``stratify`` and ``base``: the file of an earlier split. Rows that the base knows keep their part, so that a test
    set stays untouched when the dataset grows; new rows go to ``new_rows`` (``train``), and so do rows that were put
    aside and have come back: those whose keys are in ``returned`` (``path``, ``column`` of a Parquet file).
    """
    source = Source.of(ctx.params)
    fractions = check_fractions(ctx.params["fractions"])
    ctx.report(0.1, stage="read")
    rows = read_rows(source)
    target = labels(rows, source.target)
    identity = identities(rows, source.key)
    base = ctx.params.get("base")
    ctx.report(0.5, stage="assign")
    if base:
        new_rows = ctx.params.get("new_rows", "train")
        parts = carry_over(identity, base, new_rows)
        parts = release(identity, parts, ctx.params.get("returned"), new_rows)
        parts = pl.select(pl.when(target.is_null()).then(pl.lit("none")).otherwise(parts)).to_series().alias("part")
    else:
        parts = assign(target, fractions, ctx.params["seed"], stratify=ctx.params.get("stratify", True))
    check_classes(target, parts)
    return _write(ctx.out / SPLIT_FILE, parts, target, identity)


def check_fractions(fractions: Mapping[str, float]) -> dict[str, float]:
    """Return the share of each part, or refuse shares that are not 1 in sum.

    Examples
    --------
    >>> check_fractions({"train": 0.7, "validation": 0.1, "test": 0.2})["future"]
    0.0
    """
    unknown = sorted(set(fractions) - set(PARTS))
    if unknown:
        raise Invalid(f"there is no part {unknown[0]!r}", field="fractions", value=unknown[0], allowed=list(PARTS))
    whole = {part: float(fractions.get(part, 0.0)) for part in PARTS}
    if min(whole.values()) < 0 or abs(sum(whole.values()) - 1) > 1e-6:  # noqa: PLR2004 rounding
        raise Invalid("the fractions must be 1 in sum", field="fractions", value=dict(fractions), allowed="sum 1")
    if min(whole[part] for part in ("train", "validation", "test")) == 0:
        raise Invalid("train, validation and test need rows", field="fractions", value=dict(fractions))
    return whole


def assign(target: pl.Series, fractions: Mapping[str, float], seed: int, *, stratify: bool) -> pl.Series:
    """Draw the part of each row; with ``stratify`` each class on its own, so that all parts have its share."""
    rng = np.random.default_rng(seed)
    parts = np.full(len(target), "none", dtype=object)
    groups = sorted(target.drop_nulls().unique().to_list()) if stratify else [None]
    ends = np.cumsum([fractions[part] for part in PARTS])
    for group in groups:
        wanted = target.is_not_null() if group is None else (target == group).fill_null(value=False)
        rows = rng.permutation(np.flatnonzero(wanted.to_numpy()))
        cuts = np.round(ends * len(rows)).astype(int)
        for part, chosen in zip(PARTS, np.split(rows, cuts[:-1]), strict=True):
            parts[chosen] = part
    return pl.Series("part", parts.tolist())


def carry_over(identity: pl.Series, base: str, new_rows: str) -> pl.Series:
    """Give rows the part that they have in an earlier split, and new rows the part for new rows."""
    if new_rows not in PARTS:
        raise Invalid(f"there is no part {new_rows!r}", field="new_rows", value=new_rows, allowed=list(PARTS))
    known = pl.read_parquet(base, columns=["identity", "part"]).unique("identity", keep="first", maintain_order=True)
    joined = pl.DataFrame({"identity": identity}).join(known, on="identity", how="left", maintain_order="left")
    return joined["part"].fill_null(new_rows)


def release(identity: pl.Series, parts: pl.Series, returned: Mapping[str, str] | None, new_rows: str) -> pl.Series:
    """Give rows that were put aside, and whose keys came back with their truth, the part for new rows."""
    if returned is None:
        return parts
    known = pl.read_parquet(returned["path"], columns=[returned["column"]])[returned["column"]].cast(pl.String)
    came = identity.is_in(known.drop_nulls().unique().to_list()) & parts.is_in(_ASIDE)
    return pl.select(pl.when(came).then(pl.lit(new_rows)).otherwise(parts)).to_series().alias("part")


def check_classes(target: pl.Series, parts: pl.Series) -> None:
    """Refuse a split whose train, validation or test part lacks a class, or has one alone."""
    counts = pl.DataFrame({"part": parts, "class": target}).group_by("part", "class").len()
    classes = set(target.drop_nulls().to_list())
    for part in ("train", "validation", "test"):
        missing = sorted(classes - set(counts.filter(pl.col("part") == part)["class"].to_list()))
        if missing:
            raise Unlearnable(
                f"class {missing[0]!r} has too few rows: none falls into {part!r}",
                field="target",
                value=missing[0],
                hint="collect more rows of this class, or leave its rows out",
            )


def _write(file: Path, parts: pl.Series, target: pl.Series, identity: pl.Series) -> dict[str, Any]:
    rows = pl.Series("row", np.arange(len(parts), dtype=np.uint32))
    frame = pl.DataFrame([rows, parts.alias("part"), identity])
    frame.write_parquet(file, compression="zstd", statistics=False)
    with file.open("rb") as stream:
        digest = file_digest(stream, "sha256").hexdigest()
    counted = frame.group_by("part").len().sort("part")
    by_class = frame.with_columns(target.alias("class")).group_by("part", "class").len().sort("part", "class")
    classes: dict[str, dict[str, int]] = {}
    for part, name, count in by_class.drop_nulls("class").iter_rows():
        classes.setdefault(part, {})[name] = count
    unlabelled = int((parts == "none").sum())
    return {
        "file": file.name,
        "sha256": digest,
        "rows": len(parts),
        "counts": dict(counted.iter_rows()),
        "classes": classes,
        "notes": [f"{unlabelled} rows left out: their target is null"] if unlabelled else [],
    }
