"""Serving against its peers, side by side: ``make bench-serving`` writes ``benchmarks/serving.md``."""
