"""Surfaces of organs and lesions, in millimetres, for looking at and for printing."""
