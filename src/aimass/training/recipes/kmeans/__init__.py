"""The recipe kmeans."""
