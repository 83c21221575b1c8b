"""Parametric phantoms: random bodies from simple solids, with no real image behind them."""

from .patient import BODY_PARTS, draw_patient
from .sampler import sample_examples, sample_paired_slices
from .volume import ParametricVolume, parametric_volume

__all__ = [
    "BODY_PARTS",
    "ParametricVolume",
    "draw_patient",
    "parametric_volume",
    "sample_examples",
    "sample_paired_slices",
]
