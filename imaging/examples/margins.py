"""Black margins around what a picture shows: collections have them, hospitals' own files less."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]

#: Grey values, of 255, up to which a margin is black: JPEG leaves a few.
_BLACK = 12.0
#: Share of a row's or column's pixels that may be brighter in a margin: single grains.
_GRAINS = 0.02
#: Share of a picture's side from which on black at both ends are bars that fill it to a square.
_BAR = 0.02
#: Share of a film that its middle square must keep; a leg is not cut down to a knee.
_KEPT = 0.7


def without_margins(picture: Picture) -> Picture:
    """Cut off black rows and columns on all four sides.

    Args:
        picture: ``[H, W]``, of any range; black is its least value.
    """
    top, bottom, left, right = _content(picture)
    return picture[top:bottom, left:right]


def without_bars(film: Picture) -> Picture:
    """Cut off the bars that fill a film up to a square, and the rest to its middle square.

    Args:
        film: ``[H, W]``, of any range; black is its least value.

    Returns:
        The middle square of what lies between the bars; the film itself where there is no pair of
        bars, or where the square would keep too little of what is between them.
    """
    height, width = film.shape
    top, bottom, left, right = _content(film)
    if min(top, height - bottom) >= _BAR * height:
        between = film[top:bottom]
    elif min(left, width - right) >= _BAR * width:
        between = film[:, left:right]
    else:
        return film
    short, long = sorted(between.shape)
    if short < _KEPT * long:
        return film
    top, left = ((side - short) // 2 for side in between.shape)
    return between[top : top + short, left : left + short]


def _content(picture: Picture) -> tuple[int, int, int, int]:
    """First and last (exclusive) row and column that are not black; all where everything is."""
    is_bright = picture - picture.min() > _BLACK / 255.0 * float(np.ptp(picture))
    return *_ends(is_bright.mean(1) > _GRAINS), *_ends(is_bright.mean(0) > _GRAINS)


def _ends(is_inside: NDArray[np.bool_]) -> tuple[int, int]:
    inside = np.flatnonzero(is_inside)
    return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, len(is_inside))
