"""Log files, followed across rotation, truncation and compression."""
