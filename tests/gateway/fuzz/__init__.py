"""Fuzzing of the data plane; ``python -m tests.gateway.fuzz TARGET`` runs as long as it is told to."""
