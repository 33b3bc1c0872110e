"""Connectors: each a folder with a light manifest and a part that runs in child processes."""
