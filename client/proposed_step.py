"""What a study asks a site to run, as far as the site's policy has a say in it."""

from __future__ import annotations

from dataclasses import dataclass

from ..privacy.mechanism import SubsampledGaussian
from ..privacy.settings import PrivacySettings


@dataclass(frozen=True, kw_only=True)
class ProposedStep:
    """One step at a site, of many that are alike.

    Attributes:
        mechanism: Noise, sampling and number of steps; ``None`` without privacy.
        clip_norm: Largest norm of one patient's contribution.
        patients: Patients that the step would draw from. Private: it stays in this process.
        burned_in: How images with text in their pixels are set aside.
        captions: What images are told by: ``words``, or ``text`` for reports besides.
        subset: Which parameters are trained; ``None`` where nothing is, as for statistics.
        joint: The study's terms of privacy, where only a sum over many sites leaves; the
            mechanism's noise is then the site's own part of it.
    """

    mechanism: SubsampledGaussian | None
    clip_norm: float
    patients: int
    burned_in: str
    captions: str = "words"
    subset: str | None = None
    joint: PrivacySettings | None = None
