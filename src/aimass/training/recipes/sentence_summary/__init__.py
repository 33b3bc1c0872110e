"""Summaries out of the sentences of a text."""
