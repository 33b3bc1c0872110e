"""Benchmarks of data: ingest, queries and features."""
