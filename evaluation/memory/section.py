"""The section that says what a generator remembers of the patients it was trained on."""

from __future__ import annotations

from dataclasses import replace

from ..measures.results import Interval
from ..section import Grid, Measure, Section
from .copies import CLOSE, Copies
from .membership import FALSE_POSITIVES, Guessing

KEY = "memory"


def memory_section(
    copies: dict[str, Copies], guessed: dict[str, Guessing], *, calibrated: bool
) -> Section:
    """Say what the search for copies and the attacks found.

    Args:
        copies: What was found in each space.
        guessed: What each attack was worth.
        calibrated: Whether the attacks were calibrated by the base generator.
    """
    measures = [
        *(one for space, found in copies.items() for one in _copy_measures(space, found)),
        *(one for attack, found in guessed.items() for one in _guess_measures(attack, found)),
    ]
    return Section(
        key=KEY,
        title="Does it remember patients?",
        summary=_summary(copies, guessed, calibrated),
        measures=tuple(measures),
        tables=(_copy_table(copies), _guess_table(guessed)),
    )


def _copy_measures(space: str, found: Copies) -> list[Measure]:
    return [
        _measure(
            f"{space}_copy_ratio",
            f"Distance to the nearest training image by that of held-out images, {space}s",
            found.ratio,
            better="higher",
            note="Well below 1 hints at copies, or at images that are blurred and near to all.",
        ),
        _measure(
            f"{space}_close_share",
            f"Synthetic images close to a training image, {space}s",
            found.close_share,
            better="lower",
            note=f"Closer than {CLOSE:.0%} of one half of the held-out images; "
            f"{found.close_baseline:.1%} of the other half are.",
        ),
        _measure(
            f"{space}_nearest_train_share",
            f"Synthetic images nearer to training patients than to held-out ones, {space}s",
            found.nearest_share,
            better="lower",
            note="0.5 if nothing is remembered.",
        ),
    ]


def _guess_measures(attack: str, found: Guessing) -> list[Measure]:
    measures = _told(attack, found)
    if not found.silent:
        return measures
    note = f"It could have shown nothing: {found.silent}."
    return [
        replace(one, value=None, low=None, high=None, inconclusive=True, note=note)
        for one in measures
    ]


def _told(attack: str, found: Guessing) -> list[Measure]:
    note = (
        f"{found.members} patients trained on, {found.others} held out. "
        f"The threshold is chosen on {found.threshold_patients} of these"
    )
    if found.threshold_patients < 1 / FALSE_POSITIVES:
        note += f", too few for {FALSE_POSITIVES:.0%}: it is above all of them"
    guess = "0.5 is a guess. The unit is the patient."
    if found.auc.high < 0.5:
        guess += (
            " Below it those held out look more like members: no sign of memory by this attack, "
            "whose direction is fixed beforehand, but the two groups differ, or it is chance."
        )
    caught = _measure(
        f"{attack}_tpr_at_1_fpr",
        f"Membership inference by {attack}, members caught at 1 % false positives",
        found.caught,
        better="lower",
        note=f"{note}; on the rest {found.false_positives:.1%} are false positives.",
    )
    if not found.has_threshold:
        note = (
            f"Cannot be measured with {found.others} patients held out: a threshold chosen on "
            f"{found.threshold_patients} of them says nothing of 1 % false positives."
        )
        caught = replace(caught, value=None, low=None, high=None, inconclusive=True, note=note)
    return [
        _measure(
            f"{attack}_auc",
            f"Membership inference by {attack}, AUC",
            found.auc,
            better="lower",
            note=guess,
        ),
        caught,
    ]


def _measure(name: str, title: str, value: Interval, *, better: str, note: str) -> Measure:
    return Measure(
        name=name,
        title=title,
        value=value.value,
        low=value.low,
        high=value.high,
        better="higher" if better == "higher" else "lower",
        note=note,
    )


def _copy_table(copies: dict[str, Copies]) -> Grid:
    return Grid(
        title="Copies of training images",
        columns=("space", "ratio", "close", "close (held out)", "nearer to training patients"),
        rows=tuple(
            (
                space,
                _shown(found.ratio),
                _shown(found.close_share),
                f"{found.close_baseline:.2f}",
                _shown(found.nearest_share),
            )
            for space, found in copies.items()
        ),
    )


def _guess_table(guessed: dict[str, Guessing]) -> Grid:
    return Grid(
        title="Membership inference",
        columns=("attack", "AUC", "caught at 1 % FPR", "FPR on the other half"),
        rows=tuple(
            (
                attack,
                None if found.silent else _shown(found.auc),
                None if found.silent or not found.has_threshold else _shown(found.caught),
                None if found.silent or not found.has_threshold else f"{found.false_positives:.3f}",
            )
            for attack, found in guessed.items()
        ),
    )


def _shown(value: Interval) -> str:
    return f"{value.value:.2f} ({value.low:.2f} to {value.high:.2f})"


def signs(copies: dict[str, Copies], guessed: dict[str, Guessing]) -> list[str]:
    """Name what speaks for memory: whatever lies beyond chance with its whole interval."""
    found = [
        f"images too often nearer to training patients, by {space}s"
        for space, one in copies.items()
        if one.nearest_share.low > 0.5
    ]
    found += [
        f"images too often close to a training image, by {space}s"
        for space, one in copies.items()
        if one.close_share.low > max(CLOSE, one.close_baseline)
    ]
    found += [
        f"members told from others by their {attack}"
        for attack, one in guessed.items()
        if one.auc.low > 0.5 and not one.silent
    ]
    return found


def _summary(copies: dict[str, Copies], guessed: dict[str, Guessing], calibrated: bool) -> str:
    found = signs(copies, guessed)
    silent = [
        f"The attack by {attack} COULD HAVE SHOWN NOTHING: {one.silent}. That is no clean result."
        for attack, one in guessed.items()
        if one.silent
    ]
    told = (
        "the attacks do not tell who was trained on beyond chance"
        if not silent
        else "what the attacks that could show something show is no more than chance"
        if len(silent) < len(guessed)
        else "no attack could be made"
    )
    verdict = (
        f"Yes, there are signs: {'; '.join(found)}."
        if found
        else "No sign was found: synthetic images are no nearer to patients trained on than to "
        f"others, and {told}."
    )
    verdict = " ".join([verdict, *silent])
    return (
        f"{verdict} Each sign is a 95 % interval, over patients, that excludes what chance gives; "
        f"of {2 * len(copies) + len(guessed)} looked for, one can show by chance. The attacks know "
        f"the weights and are {'' if calibrated else 'not '}calibrated by the base generator. That "
        "nothing is found proves nothing: what protects patients is the privacy budget."
    )
