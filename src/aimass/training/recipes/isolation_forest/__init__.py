"""The recipe isolation_forest."""
