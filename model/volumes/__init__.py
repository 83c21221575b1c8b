"""Volumes whose slices agree."""
