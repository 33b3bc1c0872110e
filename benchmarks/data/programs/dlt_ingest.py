"""Bring a table into Parquet files by a pipeline of dlt; prints what it loaded as JSON."""

import json
import sys

import dlt
from dlt.destinations import filesystem as files


def csv(backend, source):
    """Read a CSV file: by dlt's own reader over pandas, or as Arrow batches of pyarrow, the cheapest that dlt takes."""
    if backend == "default":
        from dlt.sources.filesystem import filesystem, read_csv

        folder, _, name = source.rpartition("/")
        return (filesystem(bucket_url=f"file://{folder}", file_glob=name) | read_csv()).with_name("orders")
    import pyarrow.csv

    @dlt.resource(name="orders")
    def orders():
        with pyarrow.csv.open_csv(source) as reader:
            yield from reader

    return orders


def table(backend, source):
    """Read a table of a database."""
    from dlt.sources.sql_database import sql_table

    chosen = "sqlalchemy" if backend == "default" else backend
    more = {} if backend == "default" else {"reflection_level": "full_with_precision"}
    if backend == "connectorx":
        more["backend_kwargs"] = {"return_type": "arrow"}
    return sql_table(source, table="orders", backend=chosen, chunk_size=50_000, **more)


def main(kind, backend, source, target):
    """Run the pipeline."""
    rows = csv(backend, source) if kind == "csv" else table(backend, source)
    place = files(bucket_url=f"file://{target}")
    pipeline = dlt.pipeline("bench", pipelines_dir=f"{target}-state", destination=place, dataset_name="made")
    told = pipeline.run(rows, table_name="orders", loader_file_format="parquet")
    if told.has_failed_jobs:
        raise SystemExit("a load failed")
    print(json.dumps({"rows": pipeline.last_trace.last_normalize_info.row_counts.get("orders", 0)}))


main(*sys.argv[1:])
