"""What a text says is not there, and what it is not sure of: prompts, headers, reports alike.

"No pneumonia" must not draw pneumonia, and must not label a film with it. Words that deny stand
before what they deny, up to the end of the clause, or behind it (after NegEx: Chapman et al., J
Biomed Inform 34, 2001; what is past or only suspected after ConText: Harkema et al., J Biomed
Inform 42, 2009). What is only suspected, asked for or past is neither there nor not, and no more
is what lends its name to a ward, a protocol or a hospital.
"""

from __future__ import annotations

import re
from enum import Enum

_WORD, _END = r"(?<![\w-])(?:", r")(?![\w-])"
_DENIED_BEFORE = re.compile(
    rf"{_WORD}no|not|non|without|w/o|neg(?:ative)?(?: for|:)|-ve for|free (?:of|from)|clear of"
    r"|absence of|lack(?:s|ing)?(?: of)?|exclud(?:es|ed|ing)|ruled out|rul(?:es|ing) out|never"
    r"|neither|nor|den(?:ies|ied|ying)|except|resolution of"
    rf"|keine?[nrsm]?|ohne|sans|pas de|sin|senza|geen|zonder{_END}|(?<!\w)non-(?=\w*\Z)"
)
_STATE = (
    r"(?:(?:is|are|was|were|has been|have been|had been|can be|could be|now|currently)\s+)*"
    r"(?:completely |definitely |clinically |radiologically )?"
)
_GONE = (
    r"(?:excluded|ruled out|absent|neg(?:ative|ativ|atif|ativo)?(?! for)|resolved|cleared"
    r"|not (?:seen|present|visible|found|shown|detected|identified|demonstrated|confirmed|evident"
    r"|apparent|appreciated|noted)|no longer \w+|free(?! of| from)|ausgeschlossen)"
)
_DENIED_BEHIND = re.compile(
    r"[\s,:=(–-]*(?:(?:rt-?pcr|pcr|test|swab|antigen|status|result|screen)s?\b[\s:=-]*)*"
    rf"{_STATE}{_GONE}(?![\w-])"
    r"|(?:\s*[:=–]|\s-)\s*(?:no|none|nil|false|0)(?=\s*(?:[.,;)|]|\Z))|\s*\(\s*-\s*\)|-(?=\s*(?:[.,;]|\Z))"
)
#: The same across the words that say where: "pneumonia of the left lobe was ruled out".
_DENIED_FAR_BEHIND = re.compile(
    rf"[^.,;:()|]{{0,60}}?(?<![\w-]){_STATE}(?:excluded|ruled out|absent|negative(?! for)|resolved"
    r"|not (?:seen|present|visible|found|detected|identified|demonstrated))(?![\w-])"
)
_DOUBTED_BEFORE = re.compile(
    rf"{_WORD}r/o|r\.o\.|ro|rule[ -]?outs?|(?:to|can ?not|can't|could not) (?:exclude|rule out)"
    r"|exclude|excluding|exclusion of|evaluat(?:e|ion)(?: for| of)?|eval(?: for)?"
    r"|assess(?:ment)?(?: for| of)?|check for|look(?:ing)? for|search(?:ing)? for|query|queries"
    r"|question(?:able)?(?: of)?|susp(?:ected|ect|icion|icious)?(?: of| for)?|concern(?:s|ing)?"
    r"(?: for| of)?|worr(?:y|ied|isome)(?: for| about)?|possibl[ey]|probabl[ey]|likely|unlikely"
    r"|presum\w+|maybe|perhaps|may (?:be|represent)|might(?: be)?|could be|could represent"
    r"|equivocal(?: for)?|indeterminate(?: for)?|consider|differential(?: diagnosis)?(?: of)?|ddx"
    r"|d/d|vs|versus|either|history(?: of)?|hx(?: of)?|h/o|pmhx?|fhx?|anamnesis|s/p|status[ -]post"
    r"|prior|previous(?:ly)?|former(?:ly)?|past|treated(?: for)?|treatment (?:of|for)"
    r"|recover(?:ed|y|ing) from|recent|follow[ -]?up(?: of| for)?|f/?u(?: of| for)?"
    r"|monitor(?:ing)?(?: of| for)?|surveillance(?: of| for)?|screen(?:ing)?(?: of| for)?"
    r"|(?:at )?risk (?:of|for)|expos(?:ed|ure) to|contact with|fear of|prophylaxis (?:of|for)"
    r"|vaccin\w*(?: for| against)?|family|code|verdacht auf|zustand nach|ausschluss(?: von)?"
    rf"|frage nach|suspicion de|recherche de{_END}|v\.\s?a\.|z\.\s?n\.|\?\s*(?:\w+\s+){{0,2}}\Z"
)
_DOUBTED_BEHIND = re.compile(
    r"\s*(?:\(?\?\)?|(?:(?:is|are|was|were|seems|appears|remains)\s+)?(?:suspected|possible|probable"
    r"|likely|questionable|(?:less |un)likely|in question|(?:can ?not|can't|could not) be"
    r" (?:excluded|ruled out)|not (?:excluded|ruled out)))"
    r"|[\s-]+(?:protocol|screen(?:ing)?|clinic|cent(?:er|re)|unit|ward|hospital|institute|service"
    r"|department|dept|program(?:me)?|pathway|alert|code|team|survey|work-?up|follow-?up|f/?u"
    r"|surveillance|study|trial|registry|project|conference|board|research|risk|prophylaxis"
    r"|exposure|contact|precautions?|vaccin\w*|history|evaluation|eval|assessment|query|rule-?out"
    r"|call|activation|index|general|gen|or not|vs|versus)s?(?![\w-])"
    r"|[^.,;:()|]*(?<![\w-])(?:hospital|infirmary|medical cent(?:er|re)|university|klinik\w*)"
)
#: After a disease is another time; after a contrast agent is not.
_AFTER = re.compile(r"(?<![\w-])(?:post|after)[\s-]+\Z")
_AGENT = re.compile(r"contrast|gad|gd|enhanc")
_SENTENCE_ENDS = re.compile(
    rf"(?<!\.\w)[.;()|\n](?!\w)|{_WORD}but|however|with|showing|shows|though|although|yet{_END}"
)
_OR = re.compile(r"(?<![\w-])n?or(?![\w-])")


class Said(Enum):
    """How a text speaks of something."""

    THERE = "there"
    DENIED = "denied"
    DOUBTED = "doubted"


def how_said(text: str, start: int, end: int, *, far: bool, lists: bool = False) -> Said:
    """Tell how a text speaks of a phrase.

    Args:
        text: The text in lower case.
        start: Where the phrase begins.
        end: Where it ends.
        far: Whether a denial reaches it across other words: "no lesion in the head" denies the
            lesion and not the head.
        lists: Whether a denial reaches it across commas, too. In a prompt "no pneumonia,
            effusion" asks for an effusion; in a header or a report it does not state one.
    """
    sentence = _SENTENCE_ENDS.split(text[:start])[-1]
    before = sentence
    if not lists and not _is_list(sentence, text[start:]):
        before = re.split(r"[,:](?!\w)", sentence)[-1]
    if not far:
        nearest = re.search(r"\S+\s+\Z", before)
        before = nearest[0] if nearest else ""
    past = _AFTER.search(before) and not _AGENT.match(text, start)
    if past or _DOUBTED_BEFORE.search(before) or _DOUBTED_BEHIND.match(text, end):
        return Said.DOUBTED
    if _DENIED_BEFORE.search(before) or _DENIED_BEHIND.match(text, end):
        return Said.DENIED
    if far and _DENIED_FAR_BEHIND.match(text, end):
        return Said.DENIED
    return Said.THERE


def _is_list(before: str, onwards: str) -> bool:
    """Whether a denied list goes on: "no effusion, pneumothorax or mass"."""
    denial = _DENIED_BEFORE.search(before)
    if denial is None:
        return False
    rest = _SENTENCE_ENDS.split(onwards)[0]
    return bool(_OR.search(before, denial.end()) or _OR.search(rest))
