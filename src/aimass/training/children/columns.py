"""Columns to learn from: which are fit, of which type each is, and values as a package takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from aimass.kernel.errors import Invalid
from aimass.models import Column, Signature
from aimass.training.children.sources import Source
from aimass.training.children.targets import MAX_CLASSES, outputs_of
from aimass.training.children.tensors import is_tensor, length_of, tensor_of, why_no_tensor
from aimass.training.children.texts import is_text
from aimass.training.errors import Unlearnable

MAX_COLUMNS = 2000
MAX_CATEGORIES = 1000


def choose_columns(train: pl.DataFrame, source: Source, kept: pl.DataFrame) -> tuple[list[str], list[str]]:
    """Return the columns to learn from, and why others were left out; ``kept`` are the rows of all parts."""
    wanted = source.features or [c for c in train.columns if not c.startswith("_")]
    missing = [name for name in wanted if name not in train.columns]
    if missing:
        raise Invalid(
            f"there is no column {missing[0]!r}", field="features", value=missing[0], allowed=train.columns[:50]
        )
    names: list[str] = []
    notes: list[str] = []
    for name in wanted:
        if name in source.aside or (name == source.time and source.features is None):
            continue
        column = kept[name] if is_tensor(train[name].dtype) else train[name]
        why = _unfit(column, is_chosen=source.features is not None)
        if why:
            notes.append(f"column {name!r} left out: {why}")
        else:
            names.append(name)
    _check_width(names, notes)
    return names, notes


def _check_width(names: list[str], notes: list[str]) -> None:
    if not names:
        raise Unlearnable("no column is left to learn from", field="features", value=notes[:20], hint="add columns")
    if len(names) > MAX_COLUMNS:
        raise Unlearnable(
            f"there are {len(names)} columns to learn from",
            field="features",
            value=len(names),
            allowed=f"at most {MAX_COLUMNS}",
            hint="name the columns that matter in 'features'",
        )


def _unfit(column: pl.Series, *, is_chosen: bool) -> str | None:
    if column.null_count() == len(column):
        return "it holds no values in the training part"
    dtype = column.dtype
    if is_tensor(dtype):
        return why_no_tensor(column, is_chosen=is_chosen)
    if not (dtype.is_numeric() or dtype in (pl.String, pl.Boolean, pl.Categorical)):
        return f"type {dtype} is not supported by these recipes"
    is_key = dtype == pl.String and len(column) > MAX_CLASSES and column.n_unique() == len(column)
    if is_key and not is_chosen and not is_text(column):
        return "every row has a value of its own, so it looks like a key"
    if dtype.is_float() and column.is_infinite().any():
        raise Unlearnable(
            f"column {column.name!r} holds infinite values",
            field="features",
            value=column.name,
            hint="repair the rows, or leave the column out",
        )
    return None


def signature_of(train: pl.DataFrame, classes: tuple[str, ...], unseen: Mapping[str, Any], task: str = "") -> Signature:
    """Describe the inputs as training saw them: types, nulls, categories."""
    inputs = tuple(_column(train[name], unseen.get(name, "serve")) for name in train.columns)
    return Signature(inputs=inputs, outputs=outputs_of(classes, task))


def _column(column: pl.Series, unseen: Any) -> Column:
    dtype = column.dtype
    nullable = column.null_count() > 0
    if is_tensor(dtype):
        return Column(name=column.name, type="float", shape=(-1, length_of(column)))
    if dtype == pl.Boolean:
        return Column(name=column.name, type="boolean", nullable=nullable)
    if dtype.is_integer():
        return Column(name=column.name, type="integer", nullable=nullable)
    if dtype.is_numeric():
        return Column(name=column.name, type="float", nullable=nullable or bool(column.cast(pl.Float64).is_nan().any()))
    if is_text(column):  # what people wrote is no list of categories, and stays out of the package
        return Column(name=column.name, type="string", nullable=nullable, unseen=unseen)
    values = column.cast(pl.String).drop_nulls().unique().sort()
    known = tuple(values.to_list()) if len(values) <= MAX_CATEGORIES else None
    return Column(name=column.name, type="string", nullable=nullable, categories=known, unseen=unseen)


_DTYPES: dict[str, Any] = {"string": pl.String, "float": pl.Float64, "integer": pl.Int64, "boolean": pl.Boolean}


def plain(frame: pl.DataFrame, signature: Signature) -> pl.DataFrame:
    """Return the columns of the signature in its types, NaN as null; what is a tensor as arrays."""
    columns = [_typed(frame[column.name], column) for column in signature.inputs]
    return pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))


def _typed(column: pl.Series, wanted: Column) -> pl.Series:
    if wanted.shape is None:
        return column.cast(_DTYPES[wanted.type])
    if not is_tensor(column.dtype):
        raise Invalid(
            f"column {column.name!r} holds {column.dtype}, and the model takes lists of {wanted.shape[1]} numbers",
            field="dataset",
            value=column.name,
        )
    return tensor_of(column, wanted.shape[1])


def columns_of(features: pl.DataFrame) -> dict[str, Any]:
    """Return the columns as a runtime takes them: lists, and arrays of the tensors."""
    return {
        column.name: column.to_numpy() if isinstance(column.dtype, pl.Array) else column.to_list()
        for column in features.iter_columns()
    }
