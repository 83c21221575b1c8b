"""How large a body region is: typical sizes, for what is made and not measured.

A slice position is a share of its region, so a volume in millimetres needs the region's extent;
pixels in millimetres need the width of the picture. Both are means over the made-up adults that
the shipped base is trained on. Patients differ by some 6 % (one standard deviation).
"""

from __future__ import annotations

from .planes import stacking_axis

#: Extent in mm from feet to head, from back to front, and from right to left.
EXTENT_MM = {
    "head": (187.0, 197.0, 158.0),
    "neck": (100.0, 90.0, 90.0),
    "chest": (341.0, 237.0, 327.0),
    "abdomen": (299.0, 218.0, 312.0),
    "pelvis": (170.0, 160.0, 250.0),
    "spine": (150.0, 80.0, 60.0),
    "limb": (80.0, 50.0, 50.0),
    "body": (200.0, 150.0, 150.0),
}
#: Shortest extent in mm of a scan that covers an adult's region from end to end: feet to head
#: (axial slices), back to front (coronal) and right to left (sagittal).
LEAST_EXTENT_MM = {
    "head": (130.0, 150.0, 120.0),
    "neck": (100.0, 90.0, 90.0),
    "chest": (220.0, 170.0, 250.0),
    "abdomen": (180.0, 160.0, 230.0),
    "pelvis": (170.0, 160.0, 250.0),
    "spine": (150.0, 80.0, 60.0),
    "limb": (80.0, 50.0, 50.0),
    "body": (200.0, 150.0, 150.0),
}
#: Side in mm of the square that an image shows.
FIELD_OF_VIEW_MM = {
    "head": 224.0,
    "neck": 256.0,
    "chest": 376.0,
    "abdomen": 352.0,
    "pelvis": 400.0,
    "spine": 400.0,
    "limb": 256.0,
    "body": 400.0,
}


def extent_mm(body_part: str, plane: str) -> float:
    """Return how far a body region reaches along the slices of a plane, mm."""
    return EXTENT_MM[body_part][stacking_axis(plane)]


def least_extent_mm(body_part: str, plane: str) -> float:
    """Return how far the shortest scan of a whole region reaches along a plane's slices, mm."""
    return LEAST_EXTENT_MM[body_part][stacking_axis(plane)]


def pixel_mm(body_part: str, image_size: int) -> float:
    """Return the side of a pixel of a square image of a body region, mm."""
    return FIELD_OF_VIEW_MM[body_part] / image_size
