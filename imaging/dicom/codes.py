"""Header codes and words, and the vocabulary word that each of them selects.

SNOMED CT codes (PS3.16 context groups 4 and 4031 for regions, 4010 for views) come with
the SRT codes that older equipment writes. Body part terms follow PS3.16 annex L.
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

BODY_PART_CODE = {
    "69536005": "head", "12738006": "head", "89546000": "head", "774007": "head",
    "T-D1100": "head", "T-A0100": "head", "T-11100": "head", "T-D1000": "head",
    "45048000": "neck", "T-D1600": "neck",
    "51185008": "chest", "816094009": "chest", "39607008": "chest", "80891009": "chest",
    "43799004": "chest", "T-D3000": "chest", "T-28000": "chest", "T-32000": "chest",
    "818981001": "abdomen", "818983003": "abdomen", "113345001": "abdomen",
    "818982008": "abdomen", "416949008": "abdomen", "T-D4000": "abdomen", "T-D4010": "abdomen",
    "816092008": "pelvis", "12921003": "pelvis", "T-D6000": "pelvis",
    "421060004": "spine", "122494005": "spine", "122495006": "spine", "122496007": "spine",
    "1217257000": "spine", "1217253001": "spine", "1217254007": "spine", "1217256009": "spine",
    "T-11500": "spine", "T-11501": "spine", "T-11502": "spine", "T-11503": "spine",
    "66019005": "limb", "53120007": "limb", "61685007": "limb", "56459004": "limb",
    "85562004": "limb", "72696002": "limb", "T-D8000": "limb", "T-D9000": "limb",
    "T-D8700": "limb", "T-D9700": "limb", "T-D9200": "limb",
    "38266002": "body", "416775004": "body", "416550000": "body", "416319003": "body",
}  # fmt: skip

BODY_PART_WORD = {
    "head": "head", "brain": "head", "skull": "head", "cranium": "head", "cranial": "head",
    "cerebral": "head", "headneck": "head", "neuro": "head", "sinus": "head", "orbit": "head",
    "neck": "neck", "larynx": "neck", "thyroid": "neck",
    "chest": "chest", "thorax": "chest", "lung": "chest", "lungs": "chest", "heart": "chest",
    "cardiac": "chest", "thoracic": "chest", "cxr": "chest", "pulmonary": "chest",
    "abdomen": "abdomen", "abdominal": "abdomen", "abdomenpelvis": "abdomen", "liver": "abdomen",
    "kidney": "abdomen", "pancreas": "abdomen",
    "pelvis": "pelvis", "pelvic": "pelvis", "prostate": "pelvis", "bladder": "pelvis",
    "uterus": "pelvis", "hip": "pelvis",
    "spine": "spine", "cspine": "spine", "tspine": "spine", "lspine": "spine", "sspine": "spine",
    "ctspine": "spine", "tlspine": "spine", "lsspine": "spine", "lumbar": "spine",
    "cervical": "spine",
    "hand": "limb", "wrist": "limb", "elbow": "limb", "shoulder": "limb", "arm": "limb",
    "forearm": "limb", "humerus": "limb", "knee": "limb", "foot": "limb", "ankle": "limb",
    "leg": "limb", "femur": "limb", "thigh": "limb", "calf": "limb", "extremity": "limb",
    "finger": "limb", "toe": "limb",
    "wholebody": "body", "chestabdomen": "body", "chestabdpelvis": "body",
}  # fmt: skip

VIEW_CODE = {
    "272479007": "PA", "R-10214": "PA",
    "399348003": "AP", "R-10206": "AP",
    "399067008": "lateral", "399173006": "lateral", "399198007": "lateral",
    "R-10228": "lateral", "R-10232": "lateral", "R-10236": "lateral",
}  # fmt: skip
VIEW_WORD = {
    "pa": "PA",
    "ap": "AP",
    "ll": "lateral",
    "rl": "lateral",
    "lat": "lateral",
    "lateral": "lateral",
}

FINDING_CODE = {
    "281900007": "no finding", "17621005": "no finding",
    "52988006": "lesion", "M-01000": "lesion",
    "233604007": "pneumonia", "53084003": "pneumonia", "75570004": "pneumonia",
    "385093006": "pneumonia", "882784691000119100": "COVID-19",
    "840539006": "COVID-19", "U07.1": "COVID-19",
}  # fmt: skip
#: ICD-10 chapters of pneumonia: J12 to J18.
PNEUMONIA_ICD10 = re.compile(r"^J1[2-8](\.\w+)?$")

FINDING_WORDS = (
    (re.compile(r"\bcovid|\bsars[ -]?cov[ -]?2\b"), "COVID-19"),
    (re.compile(r"\b(broncho)?pneumonias?\b"), "pneumonia"),
    (re.compile(r"\blesions?\b"), "lesion"),
    (
        re.compile(
            r"\b(abscess|ards|atelectasis|cardiomegaly|cancer|carcinoma|consolidation|edema|oedema"
            r"|effusion|emphysema|fibrosis|fracture|glioma|haemorrhage|hemorrhage|hernia|infarct"
            r"|infiltrat\w*|mass|metastas[ei]s|nodules?|pneumothorax|stroke|tuberculosis|tumou?r"
            r"|other (finding|disease))\b|,\s*other\s*$"
        ),
        "other finding",
    ),
)
NO_FINDING = re.compile(r"\bno (findings?|abnormalit(y|ies)( detected)?)\b")
#: Words that turn a disease name into a question, a negation or a history.
HEDGED = re.compile(
    r"\?|\br/o\b|\b(no|not|without|rule|exclude|evaluate|query|suspect(ed)?|possible|probable"
    r"|screening|history|previous|follow)\b"
)
