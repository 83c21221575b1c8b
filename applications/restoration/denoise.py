"""Denoising with the generator as prior and the noisy data kept consistent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, no_progress
from .denoiser import estimate_clean
from .network import DenoisingNetwork
from .prior import Prior

Floats = NDArray[np.float32]

#: Error of a denoised image's latents over the latents' own deviation.
_LEVEL = 0.2
#: Size of the probe that measures the divergence, as share of the noise.
_PROBE = 0.2


@dataclass(frozen=True, eq=False)
class Denoised:
    """What denoising found.

    Attributes:
        images: ``[N, H, W]`` in [-1, 1].
        prior_weight: Share of the generator's estimate in them, in [0, 1].
    """

    images: Floats
    prior_weight: float


def denoise(
    prior: Prior,
    network: DenoisingNetwork,
    noisy: Floats,
    sigma: Floats,
    *,
    seed: int = 0,
    on_progress: Progress = no_progress,
) -> Denoised:
    """Estimate the images behind white Gaussian noise of known strength.

    Half-quadratic splitting with a diffusion prior (DiffPIR, Zhu et al., arXiv 2305.08995):
    steps towards the data and towards the prior take turns. The data step is a network trained to
    take off noise; the prior step is the generator's estimate of the clean latent. DiffPIR's step
    towards the data, an average of both weighted by the noise, would trust this prior too much:
    its autoencoder cannot hold the finest detail. So the last average has the weight that
    minimises Stein's unbiased estimate of the risk (Stein 1981; as a combination of estimators:
    Blu & Luisier, IEEE TIP 16, 2007; its divergence by a random probe: Ramani et al., IEEE TIP 17,
    2008). It needs no clean image, and leaves the prior out where that knows less than the data.

    Args:
        prior: The generator and what the images show.
        network: Takes off noise.
        noisy: ``[N, H, W]``, about [-1, 1].
        sigma: Standard deviation of the noise in each pixel, ``[N, H, W]``.
        seed: Seed of the probe.
        on_progress: Told after each image; there are two passes for each, one for the probe.
    """
    strongest = float(sigma.max())
    if strongest <= 0.0:
        return Denoised(images=noisy, prior_weight=0.0)
    probe = np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), noisy.shape)
    step = np.float32(_PROBE) * np.maximum(sigma, np.float32(0.01 * strongest))
    # First the images themselves, then the same a little moved.
    both = np.concatenate([noisy, noisy + step * probe])
    data = estimate_clean(network, both, np.tile(sigma, (2, 1, 1)), on_progress)
    towards = prior.estimate(data, _LEVEL) - data
    here, there = towards[: len(noisy)], towards[len(noisy) :]
    divergence = (np.square(sigma) * probe * (there - here) / step).sum()
    residual = noisy - data[: len(noisy)]
    weight = float((here * residual).sum() - divergence) / max(float(np.square(here).sum()), 1e-9)
    weight = min(max(weight, 0.0), 1.0)
    return Denoised(images=data[: len(noisy)] + np.float32(weight) * here, prior_weight=weight)
