"""What readers' answers say: do they take synthetic images for real, and do they agree?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from ...common.counted import counted
from ...errors import DataError
from ..measures.bootstrap import interval, weighted_auc
from ..measures.results import Interval
from ..section import Grid, Measure, Section
from .agreement import nominal_alpha
from .answers import ACCEPTED, Answer, AnswerBook
from .study import ReaderStudy

KEY = "readers"
TITLE = "Do readers believe it?"
_RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """All answers as one table.

    Attributes:
        readers: Names of R readers.
        ratings: ``[R, N]``, 1 to 4; 0 where a reader gave none.
        synthetic: ``[N]``: the key.
    """

    readers: tuple[str, ...]
    ratings: NDArray[np.int64]
    synthetic: NDArray[np.bool_]

    @classmethod
    def of(cls, answers: Mapping[str, Mapping[str, Answer]], key: Mapping[str, bool]) -> Sheet:
        """Put answers by reader and image beside the key."""
        ratings = [
            [own[item].rating if item in own else 0 for item in key] for own in answers.values()
        ]
        return cls(
            readers=tuple(answers),
            ratings=np.array(ratings, np.int64).reshape(len(answers), len(key)),
            synthetic=np.array(list(key.values()), bool),
        )


def score_study(study: ReaderStudy, *, seed: int = 0) -> Section:
    """Open the key and score the answers given so far.

    Args:
        study: The study.
        seed: Seed of the resamples.

    Raises:
        DataError: If nobody has answered, or the key is not of this study.
    """
    book = AnswerBook(study)
    answers = {reader: book.of(reader) for reader in book.readers()}
    answers = {reader: own for reader, own in answers.items() if own}
    if not answers:
        raise DataError(
            f"Nobody has judged an image of {study.folder} yet.",
            hint="`fedscan reader-study serve` shows them.",
        )
    return score_sheet(Sheet.of(answers, study.key()), seed=seed)


def score_sheet(sheet: Sheet, *, seed: int = 0) -> Section:
    """Score a table of answers; intervals cover 95 % of resamples of readers and of images."""
    draws = _draws(sheet, seed)
    ratings_given = sheet.ratings > 0
    acceptances = sheet.ratings >= ACCEPTED
    synthetic, real = sheet.synthetic, ~sheet.synthetic
    intervals = {
        "accepted_synthetic": _pooled(acceptances, ratings_given & synthetic, draws),
        "accepted_real": _pooled(acceptances, ratings_given & real, draws),
        "sensitivity": _pooled(~acceptances, ratings_given & synthetic, draws),
        "auc": _auc(sheet, draws),
        "agreement": _agreement(sheet, draws),
    }
    return Section(
        key=KEY,
        title=TITLE,
        summary=_summary(sheet, intervals),
        measures=(
            Measure.of(
                "accepted_synthetic",
                "Synthetic images taken for real",
                intervals["accepted_synthetic"],
                better="higher",
            ),
            Measure.of("accepted_real", "Real images taken for real", intervals["accepted_real"]),
            Measure.of(
                "sensitivity",
                "Synthetic images recognised",
                intervals["sensitivity"],
                better="lower",
                note="Of all synthetic images judged; read it beside the real ones taken for real.",
            ),
            Measure.of(
                "auc",
                "Telling synthetic from real, AUC of the ratings",
                intervals["auc"],
                better="lower",
                note="0.5 is a guess; mean over the readers.",
            ),
            Measure.of(
                "agreement",
                "Agreement between readers, Krippendorff's alpha",
                intervals["agreement"],
                note="1 is perfect, 0 is chance; of taking an image for real or not.",
            ),
        ),
        tables=(_by_reader(sheet),),
    )


@dataclass(frozen=True)
class _Draws:
    """Row 0 is the study as it is; the others are resamples of readers and images."""

    readers: NDArray[np.int64]  # [1 + B, R]
    images: NDArray[np.int64]  # [1 + B, N]


def _draws(sheet: Sheet, seed: int) -> _Draws:
    rng = np.random.default_rng((seed, 21))
    readers, images = sheet.ratings.shape

    def times(count: int) -> NDArray[np.int64]:
        counts = rng.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)
        return np.vstack([np.ones((1, count), np.int64), counts])

    return _Draws(times(readers), times(images))


def _pooled(hits: NDArray[np.bool_], among: NDArray[np.bool_], draws: _Draws) -> Interval | None:
    """Share of hits among answers, pooled over readers."""
    if not among.any():
        return None
    total = np.einsum("br,rn,bn->b", draws.readers, among, draws.images, optimize=True)
    successes = np.einsum("br,rn,bn->b", draws.readers, hits & among, draws.images, optimize=True)
    return interval(np.divide(successes, total, out=np.full(len(total), np.nan), where=total > 0))


def _auc(sheet: Sheet, draws: _Draws) -> Interval | None:
    rows = []
    for ratings in sheet.ratings:
        has_rating = ratings > 0
        # A low rating says synthetic.
        rows.append(
            weighted_auc(
                -ratings[has_rating], sheet.synthetic[has_rating], draws.images[:, has_rating]
            )
        )
    values = np.stack(rows, axis=1)
    present = np.isfinite(values)
    weights = draws.readers * present
    total = weights.sum(axis=1)
    if not total[0]:
        return None
    sums = (weights * np.where(present, values, 0.0)).sum(axis=1)
    return interval(np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0))


def _agreement(sheet: Sheet, draws: _Draws) -> Interval | None:
    acceptances = (sheet.ratings >= ACCEPTED).sum(axis=0)
    counts = np.stack([acceptances, (sheet.ratings > 0).sum(axis=0) - acceptances], axis=1)
    value = nominal_alpha(counts)
    if value is None:
        return None
    # A reader drawn twice would agree with himself: only images are drawn.
    resamples = [nominal_alpha(counts, weights) for weights in draws.images[1:]]
    return interval(
        np.array([value, *(np.nan if one is None else one for one in resamples)], np.float64)
    )


def _by_reader(sheet: Sheet) -> Grid:
    rows = []
    for name, ratings in zip(sheet.readers, sheet.ratings, strict=True):
        synthetic = ratings[(ratings > 0) & sheet.synthetic]
        real = ratings[(ratings > 0) & ~sheet.synthetic]
        has_rating = ratings > 0
        auc = weighted_auc(
            -ratings[has_rating],
            sheet.synthetic[has_rating],
            np.ones((1, int(has_rating.sum())), np.int64),
        )[0]
        rows.append(
            (
                name,
                int(has_rating.sum()),
                _share(int((synthetic >= ACCEPTED).sum()), len(synthetic)),
                _share(int((real >= ACCEPTED).sum()), len(real)),
                _share(int((synthetic < ACCEPTED).sum()), len(synthetic)),
                f"{auc:.2f}" if np.isfinite(auc) else None,
            )
        )
    return Grid(
        title="By reader (95 % intervals after Wilson)",
        columns=(
            "Reader",
            "Images judged",
            "Synthetic taken for real",
            "Real taken for real",
            "Synthetic recognised",
            "AUC",
        ),
        rows=tuple(rows),
    )


def _share(hits: int, total: int) -> str | None:
    if not total:
        return None
    limits = binomtest(hits, total).proportion_ci(method="wilson")
    return f"{hits / total:.0%} ({limits.low:.0%} to {limits.high:.0%})"


def _summary(sheet: Sheet, intervals: Mapping[str, Interval | None]) -> str:
    count = len(sheet.readers)
    who = "One reader" if count == 1 else f"{count} readers"
    text = (
        f"{who} judged {counted(int((sheet.ratings > 0).sum()), 'time')}, of "
        f"{counted(len(sheet.synthetic), 'image')} of which "
        f"{int(sheet.synthetic.sum())} are synthetic."
    )
    synthetic, real = intervals["accepted_synthetic"], intervals["accepted_real"]
    if synthetic and real:
        text += (
            f" They took {synthetic.value:.0%} of the synthetic images for real "
            f"({synthetic.low:.0%} to {synthetic.high:.0%}), and "
            f"{real.value:.0%} of the real ones ({real.low:.0%} to "
            f"{real.high:.0%}): only the two together mean anything."
        )
    if count < 2:
        text += " Agreement needs a second reader."
    return text + (
        " Taken for real is not the same as right: readers judge looks, at this size of image."
    )
