"""PostgreSQL, change by change: inserts, updates and deletes from a logical replication slot."""
