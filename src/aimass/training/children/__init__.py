"""Code of the room that runs in child processes."""
