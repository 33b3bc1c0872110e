"""The recipe text_linear."""
