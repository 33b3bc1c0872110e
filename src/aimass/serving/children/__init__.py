"""Programs that run in child processes; addressed by string, imported by nobody."""
