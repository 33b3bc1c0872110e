"""The runtime of summaries: a package holds the weights by which sentences are chosen, and no code."""
