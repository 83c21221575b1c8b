"""The site's ClientApp: what a hospital runs."""

from __future__ import annotations

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from ..federation.protocol import (
    COMPOSITION,
    READINESS,
    REVEAL,
    STATISTICS,
    STUDY_END,
    STUDY_KEY,
)
from .answers.composition import composition_release, run_composition
from .answers.joint.ending import end_release, run_end
from .answers.readiness import readiness_release, run_readiness
from .answers.round import round_release, run_round
from .answers.statistics import run_statistics, statistics_release
from .border.reply import Service, answer, answer_reveal, answer_study_key

_TRAIN = Service(kind="round", handle=run_round, release=round_release)
_STATISTICS = Service(kind="statistics", handle=run_statistics, release=statistics_release)
_READINESS = Service(kind="readiness", handle=run_readiness, release=readiness_release)
_COMPOSITION = Service(kind="composition", handle=run_composition, release=composition_release)
_END = Service(kind="study-end", handle=run_end, release=end_release)

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Answer a round's request with new trainable tensors, or with an error's code."""
    return answer(message, context, _TRAIN)


@app.query(READINESS)
def readiness(message: Message, context: Context) -> Message:
    """Answer whether the study could begin here: with a plain yes, or with an error's code."""
    return answer(message, context, _READINESS)


@app.query(STATISTICS)
def statistics(message: Message, context: Context) -> Message:
    """Answer with noised sums of the patients' coarse images, or with an error's code."""
    return answer(message, context, _STATISTICS)


@app.query(COMPOSITION)
def composition(message: Message, context: Context) -> Message:
    """Answer with noised numbers of patients for a data card, or with an error's code."""
    return answer(message, context, _COMPOSITION)


@app.query(STUDY_KEY)
def study_key(message: Message, context: Context) -> Message:
    """Answer with the site's public keys for a joint study, or with an error's code."""
    return answer_study_key(message, context)


@app.query(REVEAL)
def reveal(message: Message, context: Context) -> Message:
    """Answer with the site's masked part of a joint sum, or with an error's code."""
    return answer_reveal(message, context)


@app.query(STUDY_END)
def study_end(message: Message, context: Context) -> Message:
    """Erase a joint study's keys, and answer with a plain yes, or with an error's code."""
    return answer(message, context, _END)
