"""Scans from a PACS, mirrored into a folder that the index reads like any other."""
