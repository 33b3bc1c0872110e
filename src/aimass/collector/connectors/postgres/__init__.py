"""Tables of PostgreSQL, read in bulk."""
