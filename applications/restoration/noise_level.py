"""How strong the noise of an image is, from the image alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve, uniform_filter

#: Difference of two Laplacians: blind to constant, linear and quadratic shades.
_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float64)
#: Standard deviation of a normal distribution over its median absolute deviation.
_MAD = 1.4826


def estimate_noise(images: NDArray[np.floating]) -> float:
    """Estimate the standard deviation of white noise.

    Immerkær's mask (Computer Vision and Image Understanding 64, 1996) with the median in place
    of the mean, which edges would raise. Parts that hold one value only, such as clipped air,
    say nothing and are left out.

    Args:
        images: ``[N, H, W]``, at least 3 × 3 pixels each.

    Returns:
        The standard deviation, in the images' unit; 0 where nothing varies.
    """
    responses = []
    for image in np.asarray(images, np.float64):
        response = np.abs(convolve(image, _MASK))[1:-1, 1:-1]
        level = uniform_filter(image, 3)
        varies = (uniform_filter(image**2, 3) - level**2 > 1e-9)[1:-1, 1:-1]
        responses.append(response[varies])
    every = np.concatenate(responses)
    # The mask multiplies the deviation of white noise by the root of its squares' sum, 6.
    return _MAD * float(np.median(every)) / 6.0 if every.size else 0.0
