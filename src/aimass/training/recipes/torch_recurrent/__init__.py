"""The recipe torch_recurrent."""
