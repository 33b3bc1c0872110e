"""What language models have in common: pieces of texts, what a package runs, and their suite."""
