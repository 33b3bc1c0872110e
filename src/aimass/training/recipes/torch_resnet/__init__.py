"""The recipe torch_resnet."""
