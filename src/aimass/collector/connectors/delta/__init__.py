"""Delta tables that others write."""
