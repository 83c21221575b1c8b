"""Does it remember patients? Searched for copies, and attacked to tell who was trained on.

Neither can prove that nothing leaked: the guarantee is the privacy budget. They catch what has
none, or an error in what should keep it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, no_progress
from ...model.generator import Generator
from ..measures.features import load_extractor
from ..measures.image_sets import ImageSet
from ..measures.memorisation import pixel_vectors
from ..measures.prompts import Prompts
from ..measures.results import Interval
from ..section import Grid, Measure, Section
from ..settings import MemorySettings
from ..subject import Subject
from .copies import CLOSE, Copies, Vectors, find_copies
from .membership import FALSE_POSITIVES, Guessing, guess, loss_errors, trajectory_errors

KEY = "memory"

#: Name of the generator that calibrates the attacks, among those to compare with.
REFERENCE = "base"


def examine_memory(
    subject: Subject,
    *,
    settings: MemorySettings | None = None,
    on_progress: Progress = no_progress,
) -> Section:
    """Search for copies of training patients, and try to tell who was trained on.

    Images are asked for with captions and positions of training images, which is where copies
    are likeliest. The attacks are calibrated by the generator named "base" among the subject's
    others, if there is one: it must not have been trained on these patients.

    Args:
        subject: The generator, and images of patients trained on and held out.
        settings: How much is sampled and attacked.
        on_progress: Told what is being done and how much is done.

    Raises:
        DataError: If there are fewer than two held-out patients.
    """
    settings = settings or MemorySettings()
    on_progress("sampling images to search for copies", 0, 10)
    synthetic = _draw(subject, settings.samples)
    copies = _copies(subject, synthetic, settings, on_progress)
    guessed = _attacks(subject, settings, on_progress)
    on_progress("finished", 10, 10)
    measures = [
        *(one for space, found in copies.items() for one in _copy_measures(space, found)),
        *(one for attack, found in guessed.items() for one in _guess_measures(attack, found)),
    ]
    return Section(
        key=KEY,
        title="Does it remember patients?",
        summary=_summary(copies, guessed, REFERENCE in subject.others),
        measures=tuple(measures),
        tables=(_copy_table(copies), _guess_table(guessed)),
    )


def _draw(subject: Subject, count: int) -> NDArray[np.float32]:
    train = subject.real.train
    order = np.random.default_rng((subject.seed, 7)).permutation(len(train))
    prompts = Prompts.copied(train, np.resize(order, count))
    return subject.draw(prompts.captions, prompts.positions.tolist())


def _copies(
    subject: Subject, synthetic: NDArray[np.float32], settings: MemorySettings, tell: Progress
) -> dict[str, Copies]:
    extractor = load_extractor()
    sides = (subject.real.train, subject.real.holdout)
    train, holdout = (side.thin(settings.searched_images, subject.seed) for side in sides)
    found = {}
    for number, (space, vectors) in enumerate(
        {"feature": extractor.features, "pixel": pixel_vectors}.items()
    ):
        tell(f"searching for copies, by {space}s", 3 + number, 10)
        found[space] = find_copies(
            vectors(synthetic),
            Vectors(values=vectors(train.images), patients=train.patients),
            Vectors(values=vectors(holdout.images), patients=holdout.patients),
            resamples=settings.bootstrap,
            seed=subject.seed,
        )
    return found


def _attacks(subject: Subject, settings: MemorySettings, tell: Progress) -> dict[str, Guessing]:
    sides = [
        side.thin(settings.attacked_images, subject.seed)
        for side in (subject.real.train, subject.real.holdout)
    ]

    def by_loss(generator: Generator, images: ImageSet) -> NDArray[np.float64]:
        return loss_errors(
            generator,
            images,
            timesteps=settings.timesteps,
            noises=settings.noises,
            seed=subject.seed,
        )

    def by_trajectory(generator: Generator, images: ImageSet) -> NDArray[np.float64]:
        return trajectory_errors(generator, images, steps=settings.trajectory_steps)

    reference = subject.others.get(REFERENCE)
    found = {}
    for number, (attack, errors) in enumerate(
        {"loss": by_loss, "trajectory": by_trajectory}.items()
    ):
        tell(f"guessing members, by {attack}", 2 + number, 4)
        of_sides = [errors(subject.generator, side) for side in sides]
        if reference is not None:
            of_sides = [
                own - errors(reference, side) for own, side in zip(of_sides, sides, strict=True)
            ]
        found[attack] = guess(
            of_sides[0],
            sides[0].patients,
            of_sides[1],
            sides[1].patients,
            resamples=settings.bootstrap,
            seed=subject.seed,
        )
    return found


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
    return [
        _measure(
            f"{attack}_auc",
            f"Membership inference by {attack}, AUC",
            found.auc,
            better="lower",
            note=guess,
        ),
        _measure(
            f"{attack}_tpr_at_1_fpr",
            f"Membership inference by {attack}, members caught at 1 % false positives",
            found.caught,
            better="lower",
            note=f"{note}; on the rest {found.false_positives:.1%} are false positives.",
        ),
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
            (attack, _shown(found.auc), _shown(found.caught), f"{found.false_positives:.3f}")
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
        if one.auc.low > 0.5
    ]
    return found


def _summary(copies: dict[str, Copies], guessed: dict[str, Guessing], calibrated: bool) -> str:
    found = signs(copies, guessed)
    verdict = (
        f"Yes, there are signs: {'; '.join(found)}."
        if found
        else "No sign was found: synthetic images are no nearer to patients trained on than to "
        "others, and the attacks do not tell who was trained on beyond chance."
    )
    return (
        f"{verdict} Each sign is a 95 % interval, over patients, that excludes what chance gives; "
        f"of {2 * len(copies) + len(guessed)} looked for, one can show by chance. The attacks know "
        f"the weights and are {'' if calibrated else 'not '}calibrated by the base generator. That "
        "nothing is found proves nothing: what protects patients is the privacy budget."
    )
