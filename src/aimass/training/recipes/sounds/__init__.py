"""What recipes of sounds share: clips as columns of lists, and the pictures that are made of them."""
