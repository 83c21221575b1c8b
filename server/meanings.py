"""What the short codes of sites mean to the coordinator, and what can be done about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .event_log import ASKED
from .exchange import TIMEOUT, UNAVAILABLE

#: What a code means to the coordinator, who cannot see a site's log.
MEANINGS: Mapping[str, str] = {
    "ok": "answered",
    TIMEOUT: "no answer in time",
    UNAVAILABLE: "not reachable, or its app crashed",
    "budget-exceeded": "its privacy budget is spent",
    "privacy": "its policy does not allow the step, or it has too few patients",
    "ledger": "its ledger is locked, damaged or of another data set",
    "data": "it has no usable scans",
    "model": "it has another base, or the tensors do not fit it",
    "configuration": "its configuration is missing or wrong",
    "protocol": "the message was malformed or of another release",
    "update-rejected": "its update was refused",
    "not-approved": "its steward has not approved the study",
    "paused": "it is paused, or outside its hours",
    "audit": "its audit log is damaged or takes no entry",
    "egress": "it held back an answer that may not leave",
    "roster": "it does not open its part: other sites, keys or request than it goes by",
    "study-over": "the study is over there, and its keys are erased",
    "start-needed": "it lacks what the warm-up changed",
    "internal": "an error that only its own log explains",
    ASKED: "asked again, no answer yet",
}

_APPROVE = (
    "`fedscan site approve` there says what its policy and its patients do not allow: the study "
    "can ask for less, or the site can change its policy"
)
_ADVICE: Mapping[str, str] = {
    "budget-exceeded": "a site whose budget is spent can only be left out",
    "privacy": _APPROVE,
    "data": "`fedscan doctor --site` there looks at its scans",
    "ledger": "`fedscan doctor --site` there says what is wrong with its ledger",
    "model": "the base named in the invitation must be copied to the site",
    "configuration": "`fedscan doctor --site` there says what is wrong with its settings",
    "protocol": "both sides must run the same release",
    "audit": "`fedscan doctor --site` there looks at its audit log and its disk",
    "not-approved": "`fedscan site approve` there lists what waits",
    "study-over": "what is to be trained further is another study, with new keys",
    "paused": "`fedscan site resume` there, or its hours, let it take part",
}


def described(codes: Mapping[str, str]) -> str:
    """Return sites with their codes and what these mean, as one enumeration."""
    return ", ".join(
        f"{site}: {code}" if code == "ok" else f"{site}: {code} ({MEANINGS.get(code, code)})"
        for site, code in codes.items()
    )


def advice(codes: Iterable[str]) -> str:
    """Return what can be done about codes, in whole sentences; empty if nobody can say."""
    texts = dict.fromkeys(_ADVICE[code] for code in codes if code in _ADVICE)
    return " ".join(f"{text[:1].upper()}{text[1:]}." for text in texts)
