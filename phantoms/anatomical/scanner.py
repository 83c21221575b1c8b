"""What scanners do to a signal: blur, shading and noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .sampling import AxialGrid


def mr_image(
    rng: np.random.Generator,
    signal: NDArray[np.float32],
    *,
    noise: float,
    bias: float,
    blur: float,
) -> NDArray[np.float32]:
    """Turn an ideal MR signal into a magnitude image.

    Args:
        rng: Source of noise and shading.
        signal: ``[S, H, W]``.
        noise: Standard deviation of the noise of each of the two quadrature channels.
        bias: Standard deviation of the logarithm of the coil's shading.
        blur: Standard deviation of the in-plane blur in pixels.

    Returns:
        Magnitude, float32 ``[S, H, W]``: Rician distributed (Gudbjartsson & Patz, Magn
        Reson Med 34, 1995).
    """
    image = signal * np.exp(bias * _shading(rng, signal.shape))
    if blur:
        image = ndimage.gaussian_filter(image, (0.0, blur, blur), truncate=3.0)
    real, imaginary = noise * rng.standard_normal((2, *signal.shape), np.float32)
    return np.asarray(np.hypot(image + real, imaginary), np.float32)


def ct_image(
    rng: np.random.Generator,
    hounsfield: NDArray[np.float32],
    *,
    noise: float,
    offset: float,
    sharpness: float,
) -> NDArray[np.float32]:
    """Turn ideal CT numbers into a reconstructed image.

    Args:
        rng: Source of noise.
        hounsfield: ``[S, H, W]`` in HU.
        noise: Standard deviation of the noise in HU after reconstruction.
        offset: Calibration error in HU, in tissue (air is calibrated).
        sharpness: Reconstruction kernel: above 0 enhances edges, below 0 smooths.
    """
    image = hounsfield + offset * np.clip(1.0 + hounsfield / 1000.0, 0.0, 1.0)
    grain = rng.standard_normal(image.shape, np.float32)
    image, grain = _kernel(image, sharpness), _kernel(grain, sharpness)
    return np.asarray(image + noise * grain / grain.std(), np.float32)


def headrest(grid: AxialGrid) -> NDArray[np.float32]:
    """The cradle that holds a head in a CT scanner, in HU above air, ``[1, H, W]``.

    Args:
        grid: The slices; the cradle is the same on each.
    """
    offsets = np.arange(grid.matrix) * grid.pixel
    y = grid.corner[0] + offsets[:, None]
    x = grid.corner[1] + offsets
    shell = np.hypot(x / 102.0, (y - 12.0) / 113.0) - 1.0
    share = np.clip(0.5 + (2.0 - np.abs(shell) * 106.0) / grid.pixel, 0.0, 1.0)
    return np.asarray((620.0 * share * np.clip((y - 25.0) / 10.0, 0.0, 1.0))[None], np.float32)


def _kernel(image: NDArray[np.float32], sharpness: float) -> NDArray[np.float32]:
    """A reconstruction kernel in image space: Gaussian blur, or an unsharp mask."""
    if sharpness < 0.0:
        return np.asarray(
            ndimage.gaussian_filter(image, (0.0, -sharpness, -sharpness), truncate=3.0), np.float32
        )
    # Bone would throw a wide dark shadow into the brain, which scanners correct.
    window = np.clip(image, -150.0, 250.0)
    detail = window - ndimage.gaussian_filter(window, (0.0, 1.0, 1.0), truncate=3.0)
    return np.asarray(image + sharpness * detail, np.float32)


def _shading(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Smooth field of about unit variance: low-order cosines along each axis."""
    waves = []
    for size in shape:
        along = (np.arange(size, dtype=np.float32) + 0.5) / size
        waves.append(np.stack([np.cos(np.pi * order * along) for order in range(3)]))
    weights = rng.normal(0.0, 1.0, (3, 3, 3)).astype(np.float32)
    order = np.indices((3, 3, 3)).sum(0)
    weights *= (order > 0) & (order <= 3)
    field = np.einsum("abc,az,by,cx->zyx", weights, *waves, optimize=True)
    return np.asarray(field / max(float(field.std()), 1e-6), np.float32)
