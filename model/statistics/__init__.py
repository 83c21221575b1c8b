"""Noised statistics of a site's images, and what a generator starts from."""
