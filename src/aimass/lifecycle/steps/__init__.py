"""The steps of the templates, grouped by what they are about."""
