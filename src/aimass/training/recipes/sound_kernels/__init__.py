"""The recipe sound_kernels."""
