"""One file for each ready model: what it learns from, by which recipe, and what people should know of it."""
