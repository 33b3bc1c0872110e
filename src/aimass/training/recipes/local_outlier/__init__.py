"""The recipe local_outlier."""
