"""Migrations of the schema, in one line; ``make migration MESSAGE=...`` writes the next one from the tables of the rooms."""
