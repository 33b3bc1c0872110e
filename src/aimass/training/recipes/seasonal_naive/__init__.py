"""The recipe seasonal naive."""
