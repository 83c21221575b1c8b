"""Compressed pixels: decoded in a process of their own, and refused where the stream is damaged."""
