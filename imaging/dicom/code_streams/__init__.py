"""JPEG code streams: whether they are whole before they are decoded."""
