"""Denoising with the generator as prior and the noisy data kept consistent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import denoise_nl_means

from .nl_bayes import nl_bayes
from .prior import Prior

Floats = NDArray[np.float32]

#: Side of the patches of the first round of the data step, and of the later ones.
_SIDES = (7, 9)
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
    noisy: Floats,
    sigma: Floats,
    *,
    seed: int = 0,
    on_image: Callable[[int], None] | None = None,
) -> Denoised:
    """Estimate the images behind white Gaussian noise of known strength.

    Half-quadratic splitting with a diffusion prior (DiffPIR, Zhu et al., arXiv 2305.08995):
    steps towards the data and towards the prior take turns. The data step is the Gaussian
    posterior mean of patches (NL-Bayes, in rounds), started from non-local means; the prior step
    is the generator's estimate of the clean latent. DiffPIR's step towards the data, an average of
    both weighted by the noise, would trust this prior too much: its autoencoder cannot hold the
    finest detail. So the last average has the weight that minimises Stein's unbiased estimate of
    the risk (Stein 1981; as a combination of estimators: Blu & Luisier, IEEE TIP 16, 2007; its
    divergence by a random probe: Ramani et al., IEEE TIP 17, 2008). It needs no clean image, and
    leaves the prior out where that knows less than the data.

    Args:
        prior: The generator and what the images show.
        noisy: ``[N, H, W]``, about [-1, 1].
        sigma: Standard deviation of the noise in each pixel, ``[N, H, W]``.
        seed: Seed of the probe.
        on_image: Called with the number of images done (twice for each image: the probe).
    """
    strongest = float(sigma.max())
    if strongest <= 0.0:
        return Denoised(images=noisy, prior_weight=0.0)
    probe = np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), noisy.shape)
    step = np.float32(_PROBE) * np.maximum(sigma, np.float32(0.01 * strongest))
    # First the images themselves, then the same a little moved.
    data = _from_data(
        np.concatenate([noisy, noisy + step * probe]), np.tile(sigma, (2, 1, 1)), on_image
    )
    towards = prior.estimate(data, _LEVEL) - data
    here, moved = towards[: len(noisy)], towards[len(noisy) :]
    divergence = (np.square(sigma) * probe * (moved - here) / step).sum()
    residual = noisy - data[: len(noisy)]
    weight = float((here * residual).sum() - divergence) / max(float(np.square(here).sum()), 1e-9)
    weight = min(max(weight, 0.0), 1.0)
    return Denoised(images=data[: len(noisy)] + np.float32(weight) * here, prior_weight=weight)


def _from_data(noisy: Floats, sigma: Floats, on_image: Callable[[int], None] | None) -> Floats:
    made = []
    for image, strength in zip(noisy, sigma, strict=True):
        typical = float(np.median(strength[strength > 0]))
        found = denoise_nl_means(
            image, patch_size=5, patch_distance=6, h=0.9 * typical, sigma=typical, fast_mode=False
        ).astype(np.float32)
        for side in _SIDES:
            found = nl_bayes(image, found, strength, side=side)
        # The one estimate is smoother, the other keeps more; their errors differ.
        sharper = nl_bayes(image, found, strength, side=_SIDES[-1], likes=False)
        made.append((found + sharper) / 2)
        if on_image:
            on_image(len(made))
    return np.stack(made)
