"""Header codes of what every study has: modality, colour; and texts that state nothing.

The codes and names of all that a study's vocabulary can say are in ``model/words/``.
"""

from __future__ import annotations

import re

MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR")

MODALITY = {
    "CT": "CT",
    "MR": "MR",
    "CR": "X-ray",
    "DX": "X-ray",
    "IO": "X-ray",
    "MG": "X-ray",
    "PX": "X-ray",
    "RF": "X-ray",
    "RG": "X-ray",
    "XA": "X-ray",
    "US": "ultrasound",
}

#: SRT codes of older equipment whose successors in SNOMED CT pydicom does not list.
OLDER_CODE = {"T-11500": "421060004", "R-10214": "272479007"}

#: What a list of findings ends with for "and something else".
OTHER_LAST = re.compile(r",\s*other\s*$")
