"""The recipe torch_mlp."""
