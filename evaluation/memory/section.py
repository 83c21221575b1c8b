"""The section that says what a generator remembers of the patients it was trained on."""

from __future__ import annotations

from dataclasses import replace

from ..measures.results import Interval
from ..section import Grid, Measure, Section
from .copies import CLOSE, Copies
from .membership import FALSE_POSITIVES, Guessing

KEY = "memory"


def memory_section(
    copies: dict[str, Copies], attacks: dict[str, Guessing], *, has_reference: bool
) -> Section:
    """Say what the search for copies and the attacks found.

    Args:
        copies: What was found in each space.
        attacks: What each attack was worth.
        has_reference: Whether the attacks were calibrated by the base generator.
    """
    measures = [
        *(one for space, result in copies.items() for one in _copy_measures(space, result)),
        *(one for attack, result in attacks.items() for one in _guess_measures(attack, result)),
    ]
    return Section(
        key=KEY,
        title="Does it remember patients?",
        summary=_summary(copies, attacks, has_reference),
        measures=tuple(measures),
        tables=(_copy_table(copies), _guess_table(attacks)),
    )


def _copy_measures(space: str, copies: Copies) -> list[Measure]:
    return [
        Measure.of(
            f"{space}_copy_ratio",
            f"Distance to the nearest training image by that of held-out images, {space}s",
            copies.ratio,
            better="higher",
            note="Well below 1 hints at copies, or at images that are blurred and near to all.",
        ),
        Measure.of(
            f"{space}_close_share",
            f"Synthetic images close to a training image, {space}s",
            copies.close_share,
            better="lower",
            note=f"Closer than {CLOSE:.0%} of one half of the held-out images; "
            f"{copies.close_baseline:.1%} of the other half are.",
        ),
        Measure.of(
            f"{space}_nearest_train_share",
            f"Synthetic images nearer to training patients than to held-out ones, {space}s",
            copies.nearest_share,
            better="lower",
            note="0.5 if nothing is remembered.",
        ),
    ]


def _guess_measures(attack: str, guessing: Guessing) -> list[Measure]:
    measures = _told(attack, guessing)
    if not guessing.silent:
        return measures
    note = f"It could have shown nothing: {guessing.silent}."
    return [
        replace(one, value=None, low=None, high=None, inconclusive=True, note=note)
        for one in measures
    ]


def _told(attack: str, guessing: Guessing) -> list[Measure]:
    note = (
        f"{guessing.members} patients trained on, {guessing.others} held out. "
        f"The threshold is chosen on {guessing.threshold_patients} of these"
    )
    if guessing.threshold_patients < 1 / FALSE_POSITIVES:
        note += f", too few for {FALSE_POSITIVES:.0%}: it is above all of them"
    guess = "0.5 is a guess. The unit is the patient."
    if guessing.auc.high < 0.5:
        guess += (
            " Below it those held out look more like members: no sign of memory by this attack, "
            "whose direction is fixed beforehand, but the two groups differ, or it is chance."
        )
    true_positives = Measure.of(
        f"{attack}_tpr_at_1_fpr",
        f"Membership inference by {attack}, members caught at 1 % false positives",
        guessing.true_positives,
        better="lower",
        note=f"{note}; on the rest {guessing.false_positives:.1%} are false positives.",
    )
    if not guessing.has_threshold:
        note = (
            f"Cannot be measured with {guessing.others} patients held out: a threshold chosen on "
            f"{guessing.threshold_patients} of them says nothing of 1 % false positives."
        )
        true_positives = replace(
            true_positives, value=None, low=None, high=None, inconclusive=True, note=note
        )
    return [
        Measure.of(
            f"{attack}_auc",
            f"Membership inference by {attack}, AUC",
            guessing.auc,
            better="lower",
            note=guess,
        ),
        true_positives,
    ]


def _copy_table(copies: dict[str, Copies]) -> Grid:
    return Grid(
        title="Copies of training images",
        columns=("space", "ratio", "close", "close (held out)", "nearer to training patients"),
        rows=tuple(
            (
                space,
                _shown(result.ratio),
                _shown(result.close_share),
                f"{result.close_baseline:.2f}",
                _shown(result.nearest_share),
            )
            for space, result in copies.items()
        ),
    )


def _tells_threshold(result: Guessing) -> bool:
    return result.has_threshold and not result.silent


def _guess_table(attacks: dict[str, Guessing]) -> Grid:
    return Grid(
        title="Membership inference",
        columns=("attack", "AUC", "caught at 1 % FPR", "FPR on the other half"),
        rows=tuple(
            (
                attack,
                None if result.silent else _shown(result.auc),
                _shown(result.true_positives) if _tells_threshold(result) else None,
                f"{result.false_positives:.3f}" if _tells_threshold(result) else None,
            )
            for attack, result in attacks.items()
        ),
    )


def _shown(value: Interval) -> str:
    return f"{value.value:.2f} ({value.low:.2f} to {value.high:.2f})"


def signs(copies: dict[str, Copies], attacks: dict[str, Guessing]) -> list[str]:
    """Name what speaks for memory: whatever lies beyond chance with its whole interval."""
    lines = [
        f"images too often nearer to training patients, by {space}s"
        for space, one in copies.items()
        if one.nearest_share.low > 0.5
    ]
    lines += [
        f"images too often close to a training image, by {space}s"
        for space, one in copies.items()
        if one.close_share.low > max(CLOSE, one.close_baseline)
    ]
    lines += [
        f"members told from others by their {attack}"
        for attack, one in attacks.items()
        if one.auc.low > 0.5 and not one.silent
    ]
    return lines


def _summary(copies: dict[str, Copies], attacks: dict[str, Guessing], has_reference: bool) -> str:
    lines = signs(copies, attacks)
    silent = [
        f"The attack by {attack} COULD HAVE SHOWN NOTHING: {one.silent}. That is no clean result."
        for attack, one in attacks.items()
        if one.silent
    ]
    numbers = (
        "the attacks do not tell who was trained on beyond chance"
        if not silent
        else "what the attacks that could show something show is no more than chance"
        if len(silent) < len(attacks)
        else "no attack could be made"
    )
    verdict = (
        f"Yes, there are signs: {'; '.join(lines)}."
        if lines
        else "No sign was found: synthetic images are no nearer to patients trained on than to "
        f"others, and {numbers}."
    )
    verdict = " ".join([verdict, *silent])
    return (
        f"{verdict} Each sign is a 95 % interval, over patients, that excludes what chance gives; "
        f"of {2 * len(copies) + len(attacks)} looked for, one can show by chance. The attacks know "
        f"the weights and are {'' if has_reference else 'not '}calibrated by the base generator. "
        "That nothing is found proves nothing: what protects patients is the privacy budget."
    )
