"""Measures of a generator on held-out patients."""
