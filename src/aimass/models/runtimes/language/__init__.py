"""The runtime of small language models: a package holds pieces and tables or a net, and no code."""
