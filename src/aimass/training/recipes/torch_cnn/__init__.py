"""The recipe torch_cnn."""
