"""``aimass doctor``: look at everything a working installation needs, and name what is wrong and the way out."""
