"""Stable Diffusion 1 and 2 as bases: opened from their folders, and saved as such folders again."""
