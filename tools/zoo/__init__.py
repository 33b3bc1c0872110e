"""Make the ready models again: ``python -m tools.zoo digits``; each maker is one file of ``makers``."""
