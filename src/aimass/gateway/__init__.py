"""The one public door: the data plane, its settings and what control publishes to it."""
