"""Sums that only their total shows: who takes part, keys between them, masks that cancel."""
