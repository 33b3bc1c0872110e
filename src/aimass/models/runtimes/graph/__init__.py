"""The graph runtime: several packages in one, wired to each other, answering as one model in one isolated worker."""
