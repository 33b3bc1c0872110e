"""The part of the file connector that runs in child processes."""
