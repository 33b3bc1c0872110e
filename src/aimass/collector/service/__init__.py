"""The use cases of the collector."""
