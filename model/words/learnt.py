"""What a generator has learnt: which modality of which body part with which finding.

A word may be in a vocabulary and still never have been seen. A generator that is asked for it
draws what it does know (a chest for a knee), and nothing in the image says so. Hence its card has
on record what its base and its study saw together.

What a study saw is known exactly only to the sites. A card states what noised statistics tell, by
region and kind of finding, or, after a simulation on one's own data, what enough patients had.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import description as frame
from ..description import Description

#: Heading of the card, and its parts.
KEY = "learnt"
_EXACT, _COARSE, _MORE = "combinations", "regions", "also"

#: (modality, place, finding); the finding is empty where images without any statement were seen.
Combination = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is to be said of something that a generator is asked for.

    Attributes:
        never: What it never learnt, so that it cannot be drawn.
        doubtful: What it may not have learnt.
    """

    never: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()


@dataclass(frozen=True)
class Learnt:
    """What was learnt together.

    Attributes:
        combinations: Of base and study, in the words of captions.
        regions: Of the study, only as finely as regions and kinds of finding.
        complete: Whether that is all. It is of a base; what a study saw is never all on record.
    """

    combinations: frozenset[Combination] = frozenset()
    regions: frozenset[Combination] = frozenset()
    complete: bool = True

    def __post_init__(self) -> None:
        for name in ("combinations", "regions"):
            groups = getattr(self, name)
            # Who saw a finding at a place saw the place.
            places = {(modality, place, "") for modality, place, _ in groups}
            object.__setattr__(self, name, groups | places)

    def judge(self, description: Description, *, places_named: bool) -> Verdict:
        """Say what of a description was never learnt.

        Args:
            description: What is asked for.
            places_named: Whether a part of the body is asked for; any will do if not.
        """
        modality = _modality(description)
        of_modality = {one for one in self.combinations if _is_of(modality, one[0])}
        where = f" of the {description.place}" if places_named else ""
        if not of_modality:
            return self._strange(f"{modality}{where}", description)
        if places_named and description.place not in {place for _, place, _ in of_modality}:
            return self._strange(f"{modality}{where}", description)
        here = {
            finding
            for _, place, finding in of_modality
            if not places_named or place == description.place
        }
        missing = tuple(
            f"{modality}{where} with {w}" for w in description.known_findings if w not in here
        )
        # Of a place that a study saw, nobody may know each of the findings.
        return Verdict(never=missing) if self.complete else Verdict(doubtful=missing)

    def _strange(self, name: str, description: Description) -> Verdict:
        """Judge a place that no record names: statistics show every larger group of a study."""
        in_regions = any(
            _is_of(description.modality, one) and place == description.body_part
            for one, place, _ in self.regions
        )
        if in_regions or not (self.complete or self.regions):
            return Verdict(doubtful=(name,))
        return Verdict(never=(name,))

    def places(self, modality: str) -> tuple[str, ...]:
        """Return the places of which images of a modality were seen."""
        combinations = self.combinations | self.regions
        return tuple(sorted({place for one, place, _ in combinations if _is_of(modality, one)}))

    def findings(self, modality: str, place: str) -> tuple[str, ...]:
        """Return the findings of which images of a modality and place were seen."""
        groups = self.combinations | self.regions
        return tuple(
            sorted(
                {f for one, where, f in groups if f and where == place and _is_of(modality, one)}
            )
        )

    def with_study(
        self, *, exact: Iterable[Combination] = (), regions: Iterable[Combination] = ()
    ) -> Learnt:
        """Return what the base and a study learnt, as far as it may be known of the study."""
        return Learnt(self.combinations | set(exact), self.regions | set(regions), False)

    def to_card(self) -> dict[str, Any]:
        """Return it as a card states it."""
        return {
            _EXACT: _by_place(self.combinations),
            _COARSE: _by_place(self.regions),
            _MORE: "nothing" if self.complete else "what its study saw is not all on record",
        }

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Learnt | None:
        """Read what a card states; ``None`` where it states nothing.

        Raises:
            ValueError: If it cannot be understood.
        """
        if KEY not in card:
            return None
        facts = card[KEY]
        try:
            return cls(
                frozenset(_combinations(facts[_EXACT])),
                frozenset(_combinations(facts[_COARSE])),
                facts[_MORE] == "nothing",
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("The card does not say what was learnt in a known form.") from error


def combinations_of(descriptions: Iterable[Description]) -> set[Combination]:
    """Return what images show together: each of their findings, and that they have none."""
    return {
        (_modality(description), description.place, finding)
        for description in descriptions
        for finding in ("", *description.known_findings)
    }


def _modality(description: Description) -> str:
    return f"{description.sequence} {description.modality}".strip()


def _is_of(modality: str, other: str) -> bool:
    """Tell whether images of a modality were seen; MR is any weighting."""
    return other == modality or (modality == "MR" and other.endswith(" MR"))


def _by_place(combinations: Iterable[Combination]) -> dict[str, list[str]]:
    findings_of_places: dict[str, set[str]] = defaultdict(set)
    for modality, place, finding in combinations:
        findings_of_places[f"{modality}, {place}"] |= {finding} - {""}
    order = {word: number for number, word in enumerate(frame.MODALITIES)}
    keys = sorted(findings_of_places, key=lambda key: (order.get(key.partition(", ")[0], 99), key))
    return {key: sorted(findings_of_places[key]) for key in keys}


def _combinations(table: Mapping[str, Iterable[str]]) -> Iterable[Combination]:
    for key, findings in table.items():
        modality, _, place = key.partition(", ")
        for finding in ("", *findings):
            yield modality, place, str(finding)
