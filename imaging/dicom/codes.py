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

#: What makes of a disease's name a question, a denial, a history, or no diagnosis at all
#: ("stroke protocol", "Mass General Hospital"): nothing is read from such a text.
HEDGED = re.compile(
    r"\?|(?<![\w-])(r/o|s/p|w/o|h/o|f/u|d/d|no|not|non|without|rule[sd]?|ruling|exclud\w+|negative"
    r"|absent|absence|denie[sd]|free (of|from)|resolved|never|unlikely|lack(s|ing)?|evaluat\w+|eval"
    r"|assess\w*|query|suspect\w*|susp|suspicion|suspicious|possibl[ey]|probabl[ey]|presumed|maybe"
    r"|concern|differential|versus|vs|screen\w*|history|hx|status post|previous(ly)?|prior|former"
    r"|follow\w*|surveillance|risk|family|prophyla\w+|protocol|hospital|clinic|cent(er|re)|general"
    r"|institute|ward|unit|department|trial|project|research)(?![\w-])"
)
#: What a list of findings ends with for "and something else".
OTHER_LAST = re.compile(r",\s*other\s*$")
