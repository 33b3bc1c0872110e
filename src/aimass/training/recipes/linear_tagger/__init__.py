"""The recipe linear tagger."""
