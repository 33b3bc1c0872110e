"""Written by tools/generate.py from the use cases; do not edit."""
