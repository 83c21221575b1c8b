"""Enhancing real images: noise and lost resolution undone with a generator as prior."""
