"""The recipe torch_transformer."""
