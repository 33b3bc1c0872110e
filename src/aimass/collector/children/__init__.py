"""Code that needs polars, duckdb or deltalake: it runs in child processes and is addressed by string."""
