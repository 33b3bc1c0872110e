"""Files: how each format is told, proposed and read."""
