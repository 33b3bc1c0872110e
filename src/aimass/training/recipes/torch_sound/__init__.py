"""The recipe torch_sound."""
