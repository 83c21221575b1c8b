"""From line integrals to a displayed X-ray film: scatter, noise, processing, markers."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from ...model.intensity import percentile_to_model
from .points import Floats
from .textures import smooth_map


def expose(rng: np.random.Generator, path: Floats) -> Floats:
    """Turn line integrals into a displayed film.

    Args:
        rng: Draws exposure and processing.
        path: Line integrals float32 ``[H, W]``.

    Returns:
        float32 ``[H, W]`` in [-1, 1]; dense is bright.
    """
    size = path.shape[0]
    # Scattered quanta fog the film, most where few come straight through.
    straight = np.exp(-path)
    # What passes beside the patient scatters little.
    fog = gaussian_filter(np.minimum(straight, np.float32(0.15)), size / 6, mode="nearest")
    film = -np.log(straight + np.float32(rng.uniform(0.03, 0.5)) * fog)
    # Processing evens out what is brighter or darker at large.
    film -= np.float32(rng.uniform(0.0, 0.4)) * gaussian_filter(film, size / 8, mode="nearest")
    film *= 1 + np.float32(rng.uniform(0, 0.06)) * smooth_map(rng, path.shape, 2)
    blur = rng.uniform(0.0, 0.6) * size / 64
    if blur > 0.25:
        film = gaussian_filter(film, blur)
    noise = rng.standard_normal(path.shape, np.float32) * np.float32(rng.uniform(0.001, 0.014))
    film += noise * np.exp(np.clip(path, 0, 6) / 5)  # fewer quanta arrive behind dense parts
    low, high = float(rng.uniform(0.2, 5)), float(rng.uniform(90, 99.8))
    image: Floats = (percentile_to_model(film, low, high) + 1) / np.float32(2)
    image **= np.float32(rng.uniform(0.75, 1.7))
    bend = np.float32(rng.uniform(0, 0.5))  # the S-shaped curve of film and display
    image += bend * (image * image * (3 - 2 * image) - image)
    floor = rng.uniform(0, 0.2) if rng.random() < 0.3 else 0.0
    image *= np.float32(rng.uniform(0.85, 1.0) - floor)
    image += np.float32(floor)
    _mark(rng, image)
    return np.clip(image * 2 - 1, -1, 1).astype(np.float32)


def _mark(rng: np.random.Generator, image: Floats) -> None:
    """Add what else is on films: a side marker, collimator edges, leads and lines."""
    size = image.shape[0]
    unit = max(size // 32, 1)
    if rng.random() < 0.45:
        top = int(rng.integers(unit, 5 * unit))
        left = int(rng.integers(unit, 5 * unit)) if rng.random() < 0.5 else size - 5 * unit
        image[top : top + 2 * unit, left : left + unit] = rng.uniform(0.8, 1.0)
    if rng.random() < 0.15:
        edge = int(rng.integers(1, 4 * unit))
        value = np.float32(rng.choice((0.0, 1.0), p=(0.8, 0.2)))
        side = int(rng.integers(0, 4))
        np.rot90(image, side)[:edge] = value
    if rng.random() < 0.1:
        for _ in range(int(rng.integers(1, 4))):
            _draw_lead(rng, image)


def _draw_lead(rng: np.random.Generator, image: Floats) -> None:
    """Draw a wire or catheter as a smooth curve."""
    size = image.shape[0]
    nodes = rng.uniform(0.05, 0.95, (3, 2)) * size
    t = np.linspace(0, 1, 3 * size)[:, None]
    curve = (1 - t) ** 2 * nodes[0] + 2 * t * (1 - t) * nodes[1] + t**2 * nodes[2]
    rows, columns = np.clip(curve, 0, size - 1).astype(int).T
    image[rows, columns] += np.float32(rng.uniform(0.05, 0.2))
