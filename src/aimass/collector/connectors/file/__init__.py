"""Files: CSV, Parquet and NDJSON."""
