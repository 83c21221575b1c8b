"""The mask class of a segment: by its name, its codes in either coding, or its codes' meanings.

SNOMED CT codes come with the SRT codes that older equipment writes; pydicom knows which belong
together, and the meanings of the codes that DICOM lists for segments (PS3.16 CID 7151). A segment
of no class here is unknown, which is not the same as nothing being there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import snomed_mapping

from ...model.conditions import LABEL, UNKNOWN
from .fields import code_values, first_text, items

BACKGROUND = 0

_ABNORMAL_STRUCTURE, _PHYSICAL_OBJECT = "49755003", "260787004"
#: Types that say no more than that it is a part of a body: a region or a name says what.
_GENERIC = {
    "85756007": "body",  # tissue
    "91723000": "", "123037004": "", "91722005": "",  # anatomical structure, body structure
    "113343008": "organ", "272737002": "",  # organ, site
}  # fmt: skip
#: Codes outside CID 7151.
_CLASS_OF_CODE = {
    "181469002": "body", "3138006": "bone", "89546000": "bone", "272673000": "bone",
    "44714003": "lung", "30492008": "lung", "15825003": "heart", "113262008": "heart",
    "389080008": "brain", "389081007": "brain", "13958008": "brain", "35764002": "fluid",
    "15926000": "fluid", "86049000": "lesion",
}  # fmt: skip

#: What names and meanings say, the first that fits; no class for what is no part of a body.
_CLASS_OF_WORDS = (
    (
        "",
        r"implant|prosthes|screw|\bpins?\b|stent|catheter|\btube|pacemaker|\bclips?\b|\bwire"
        r"|marker|\btable\b|\bcouch|\bmask\b|phantom|collimator|clothing|balloon|needle|device"
        r"|embolization|defibrillat|\bgraft|\bshunt|filter|\bcoil|bridge|foreign|board\b|artifact|artefact|non-?tumou?r|non-?lesion|normal|reference|roi\b",
    ),
    (
        "lesion",
        r"lesion|\bmass(es)?\b|tumou?r|neoplas|cancer|carcinom|metasta|nodul|\bcysts?\b|abscess"
        r"|o?edema|necro|ha?emorrhag|ha?ematoma|infarct|thromb|embol|\bclot\b|inflammat|enhancing"
        r"|aneurysm|fracture|pneumonia|consolidation|effusion|ground.?glass|opacit|pneumothorax"
        r"|polyp|glioma|glioblastoma|lymphoma|sarcoma|meningioma|melanoma|adenoma|fibrosis"
        r"|hyperintensit|\bgtv|stroke|penumbra|calculus|\bstones?\b|morphologically abnormal",
    ),
    (
        "fluid",
        r"\bcsf\b|cerebrospinal|(lateral|third|fourth|3rd|4th|brain|cerebral) ventric"
        r"|ventric\w* (of|system|lateral|third|fourth)|aqueduct|subarachnoid|cistern",
    ),
    (
        "heart",
        r"heart|cardi|atri(um|al)|ventric|aort|arter|\bveins?\b|venous|vena\b|vessel|vascular"
        r"|coronary|carotid|jugular|valve|\bblood\b",
    ),
    ("lung", r"\blungs?\b|pulmo|bronch|trachea|airway|\blobe of"),
    (
        "bone",
        r"\bbones?\b|bony|vertebra|\bribs?\b|skull|crani(um|al bone)|femur|femora\b|tibia|fibula"
        r"|humer|radius\b|\bulna\b|\bclavic|\bscapula|\bsternum|sacrum|coccyx|\bilium|patella|\bmandib"
        r"|maxilla|calcaneus|carpal|metacarp|metatars|phalan|\bspine\b|\bteeth|\btooth|skeleton",
    ),
    (
        "organ",
        r"liver|hepat|spleen|splenic|kidney|renal|pancrea|gall ?bladder|adrenal|stomach|gastric"
        r"|bladder|prostat|uter(us|ine)|ovar|bowel|intestin|colon\b|duoden|jejun|ileum|rectum"
        r"|o?esophag|\borgans?\b|seminal",
    ),
    (
        "brain",
        r"brain|cerebr|cerebell|cort(ex|ical)|(white|gr[ae]y) matter|thalam|putamen|caudate"
        r"|pallidus|hippocamp|amygdala|insula|midbrain|\bpons\b|corpus (callosum|striatum)"
        r"|(frontal|temporal|parietal|occipital|limbic) lobe|pituitary|encephalon|fornix|cingul",
    ),
    (
        "body",
        r"^(entire |whole )?body$|skin|muscle|\bfat\b|adipose|soft.?tissue|subcutan|connective"
        r"|scalp|tendon|ligament|\bdis[ck]s?\b|cartilage|breast|spinal cord|nerve|^tissue$|gland"
        r"|^(head|neck|chest|thorax|abdomen|pelvis|limb|arm|leg|trunk|torso)$",
    ),
)
_WORDS = tuple((name, re.compile(pattern)) for name, pattern in _CLASS_OF_WORDS)
_NOTHING = re.compile(r"^(back ?ground|air|outside|empty|none)$")


def class_of_segment(segment: Dataset) -> int:
    """Return the class of an item of the Segment Sequence (PS3.3 C.8.20.4).

    Args:
        segment: The item.

    Returns:
        A value of ``model.conditions.LABEL``, :data:`BACKGROUND`, or ``UNKNOWN``.
    """
    label = _plain(first_text(segment, "SegmentLabel"))
    if label in LABEL:
        return LABEL[label]
    if _NOTHING.match(label):
        return BACKGROUND
    categories = set(_codes(segment, "SegmentedPropertyCategoryCodeSequence"))
    types = list(_codes(segment, "SegmentedPropertyTypeCodeSequence"))
    if _PHYSICAL_OBJECT in categories:
        return UNKNOWN
    for code in types:
        if _NOTHING.match(_meaning(code)):
            return BACKGROUND
        if name := _class_of_code(code):
            return LABEL[name]
    if _ABNORMAL_STRUCTURE in categories:
        return LABEL["lesion"]
    # What is of an unknown type within an organ need not be the organ.
    if all(code in _GENERIC for code in types):
        for code in _codes(segment, "AnatomicRegionSequence"):
            if name := _class_of_code(code):
                return LABEL[name]
    for text in _texts(segment, label):
        for name, pattern in _WORDS:
            if pattern.search(text):
                return LABEL.get(name, UNKNOWN)
    general = [_GENERIC[code] for code in types if _GENERIC.get(code)]
    return LABEL[general[0]] if general else UNKNOWN


def _codes(segment: Dataset, keyword: str) -> Iterator[str]:
    """Iterate over a sequence's codes, each as of today's SNOMED CT where it has one."""
    for code in code_values(segment, keyword):
        yield snomed_mapping["SRT"].get(code, code)


def _texts(segment: Dataset, label: str) -> Iterator[str]:
    """Iterate over the meanings of a segment's types, its label and its description."""
    for item in items(segment, "SegmentedPropertyTypeCodeSequence"):
        if not set(_codes(segment, "SegmentedPropertyTypeCodeSequence")) & set(_GENERIC):
            yield _plain(first_text(item, "CodeMeaning"))
    yield label
    yield _plain(first_text(segment, "SegmentDescription"))


def _plain(text: str) -> str:
    return re.sub(r"[\s_^/.]+", " ", text).strip().lower()


def _class_of_code(code: str) -> str:
    if code in _CLASS_OF_CODE:
        return _CLASS_OF_CODE[code]
    if code in _GENERIC:
        return ""
    meaning = _meaning(code)
    return next((name for name, pattern in _WORDS if pattern.search(meaning)), "")


def _meaning(code: str) -> str:
    """Return DICOM's own meaning of a code for segments, in lower case; empty if not listed."""
    return _meanings().get(code, "")


@cache
def _meanings() -> dict[str, str]:
    """Meanings by code of segmented properties: all, anatomy, lesions."""
    groups = (codes.cid7151, codes.cid7192, codes.cid7194)
    names_of_codes = (getattr(group, name) for group in groups for name in group.dir())
    return {code.value: _plain(code.meaning) for code in names_of_codes}
