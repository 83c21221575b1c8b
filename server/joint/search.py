"""Which site spoils the sums: found by sums over two halves of the sites in place of one over all.

A sum tells nothing of a single site, so one that is wrong may be any member's doing. From then on
each sum is opened as two, of two halves that share nobody, each with as many sites as any sum
needs: what is wrong with one half and not with the other comes of a site in it. The suspects are
shared out anew each time, until one is left.

It costs what another attempt costs, and no promise: each site pays for its part as for any other
sum, with fresh noise, and gives it for one of the halves only. Two sums of the same parts, of which
one could be subtracted from the other, are never opened.

One bad site cannot put the blame on another: what is wrong is always in its own half. Two that work
together can, so a name that is found here is for people to look into.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ...common.files import write_atomically
from ...errors import CheckpointError


@dataclass(frozen=True)
class Doubt:
    """Why a sum is not taken for one of honest parts.

    Attributes:
        reason: What is wrong with it, in words.
        is_proof: Whether no honest parts could have such a sum. A model that got worse is a sign
            and no proof.
    """

    reason: str
    is_proof: bool = True


@dataclass(frozen=True, kw_only=True)
class Suspicions:
    """What a search has come to.

    Attributes:
        suspects: The sites of which one spoils the sums, sorted; nobody is looked for if empty.
        culprits: The sites that were found, sorted; they are asked no more.
        loss_is_sign: Whether a model that gets worse still makes anybody a suspect.
    """

    suspects: tuple[str, ...] = ()
    culprits: tuple[str, ...] = ()
    loss_is_sign: bool = True


class Search:
    """The search of one run, on disk before the sites are asked again.

    Args:
        path: The file that keeps it; it need not exist.
        shuffle: Puts names in a random order, so that no site can tell who will be with it.

    Raises:
        CheckpointError: If it is damaged.
    """

    def __init__(self, path: Path, shuffle: random.Random | None = None) -> None:
        self._path = path
        self._random = shuffle or random.SystemRandom()
        try:
            values = json.loads(path.read_bytes())
            self.findings = Suspicions(
                suspects=tuple(map(str, values["suspects"])),
                culprits=tuple(map(str, values["culprits"])),
                loss_is_sign=bool(values["loss_is_sign"]),
            )
        except FileNotFoundError:
            self.findings = Suspicions()
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path} is damaged.",
                hint="Delete it: the search for a site that spoils the sums begins anew.",
            ) from error

    def groups(self, ready: Iterable[str], fewest: int) -> tuple[tuple[str, ...], ...]:
        """Return for which sites sums are opened: for all at once, or for two halves of them.

        Args:
            ready: The sites that have their parts.
            fewest: As many must be in each sum.
        """
        members = sorted(ready)
        suspects = [name for name in members if name in self.findings.suspects]
        if len(suspects) < 2 or not can_halve(members, fewest):
            return (tuple(members),)
        self._random.shuffle(suspects)
        others = [name for name in members if name not in suspects]
        self._random.shuffle(others)
        halves = [suspects[: len(suspects) // 2], suspects[len(suspects) // 2 :]]
        for name in others:
            min(halves, key=len).append(name)
        return tuple(tuple(sorted(half)) for half in halves)

    def begin(self, members: Iterable[str]) -> None:
        """Look among the members of a sum that was wrong, or go on looking among the suspects."""
        suspects = set(self.findings.suspects) & set(members)
        self._narrow(suspects or members)

    def narrow(self, wrong: Sequence[Sequence[str]]) -> None:
        """Take in which halves' sums were wrong: one of them, or both.

        Args:
            wrong: The members of each wrong half.
        """
        halves = [set(half) - set(self.findings.culprits) for half in wrong]
        if any(len(half) < len(members) for half, members in zip(halves, wrong, strict=True)):
            return  # the same sums again, after the coordinator was killed
        suspects = set(self.findings.suspects)
        by_half = [half & suspects if half & suspects else half for half in halves]
        if len(by_half) > 1 and all(len(half) == 1 for half in by_half):
            self._write(self._with_culprits(*by_half))
        else:
            self._narrow(set().union(*by_half))

    def end(self, *, loss_is_sign: bool = True) -> None:
        """Look for nobody any more: nothing was wrong, or with both halves alike."""
        keeps = self.findings.loss_is_sign and loss_is_sign
        self._write(replace(self.findings, suspects=(), loss_is_sign=keeps))

    def _narrow(self, suspects: Iterable[str]) -> None:
        names = tuple(sorted(suspects))
        if len(names) == 1:
            self._write(self._with_culprits(names))
        else:
            self._write(replace(self.findings, suspects=names))

    def _with_culprits(self, *names: Iterable[str]) -> Suspicions:
        culprits = set(self.findings.culprits).union(*names)
        return replace(self.findings, suspects=(), culprits=tuple(sorted(culprits)))

    def _write(self, findings: Suspicions) -> None:
        if findings != self.findings:
            self.findings = findings
            write_atomically(self._path, json.dumps(asdict(findings), indent=2).encode())


def can_halve(members: Sequence[str], fewest: int) -> bool:
    """Return whether two halves would both have as many sites as a sum needs."""
    return len(members) >= 2 * fewest
