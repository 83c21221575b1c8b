"""Agreement between readers beyond chance: Krippendorff's alpha for nominal answers.

Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability". Unlike Fleiss' kappa it takes
readers who have not judged every image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nominal_alpha(
    counts: NDArray[np.integer], weights: NDArray[np.integer] | None = None
) -> float | None:
    """Compute alpha.

    Args:
        counts: ``[U, K]``: how many readers gave each of U images each of K answers.
        weights: ``[U]``, how often each image counts; once without it.

    Returns:
        1 for perfect agreement, 0 for chance, less for worse; ``None`` where no image has two
        answers, or all answers are the same, so that nothing can be agreed about.
    """
    readers = counts.sum(axis=1)
    pairable = readers >= 2
    own = counts[pairable].astype(np.float64)
    times = np.ones(len(own)) if weights is None else weights[pairable].astype(np.float64)
    if not len(own):
        return None
    each = readers[pairable]
    # Observed: pairs within an image that differ. Expected: pairs of all answers that differ.
    unlike = (each**2 - (own**2).sum(axis=1)) / (each - 1)
    totals = times @ own
    total = totals.sum()
    pairs_by_chance = total**2 - (totals**2).sum()
    if not pairs_by_chance:
        return None
    return float(1 - (total - 1) * (times @ unlike) / pairs_by_chance)
