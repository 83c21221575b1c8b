"""Parametric phantoms: random bodies from simple solids, with no real image behind them."""

from .patient import BODY_PARTS, draw_patient
from .sampler import sample_examples

__all__ = ["BODY_PARTS", "draw_patient", "sample_examples"]
