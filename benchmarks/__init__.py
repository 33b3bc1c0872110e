"""Benchmarks: every bar of the design as a figure, as a ratio where something to compare with is there."""
