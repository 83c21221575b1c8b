"""Scoring a generator on the patients whom a study keeps from training.

The result is exact, and so as private as the scans: it stays at the site.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...common.files import write_atomically
from ...common.progress import Progress, no_progress
from ...errors import DataError, ModelError
from ...model.description import FINDINGS, Description
from ...model.example import Example, LatentRows
from ...model.generator import Generator
from ...model.integrity.latents import share_latents
from ...model.objective import diffusion_loss, num_train_timesteps
from ...model.outline import size_taken
from ...model.statistics.scores import PatientScore, Share, better_share, counts, right_share
from ...model.storage import generator_digest, load_generator
from ..data.fixed_patients import patients_trained_on
from ..policy import load_policy
from ..site import Site
from ..steward.admission import site_of
from ..steward.approvals import Approval, Approvals
from ..steward.home import SiteHome
from ..steward.opt_outs import require_list
from ..terms import StudyTerms
from ..workspace.opened import OpenData, open_data

#: Findings that can be told from "no finding".
TOLD = tuple(word for word in FINDINGS if word != "no finding")
#: Images of a patient that are looked at, and noises that each is looked at through.
_IMAGES = 4
_NOISES = 8
#: Part of the noise schedule at which the error tells most: little noise hides no image, and much
#: hides every one.
_TIMES = (0.05, 0.6)
#: The same noises for every generator, so that their errors are compared like with like.
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class SiteScores:
    """A generator's scores at a site. All of it is exact: it leaves only as noised numbers.

    Attributes:
        study: Digest of the study whose held-out patients they are.
        generator: Digest of the generator.
        finding: The finding that it was asked to tell.
        patients: One score for each held-out patient, in no lasting order.
    """

    study: str
    generator: str
    finding: str
    patients: tuple[PatientScore, ...]

    @property
    def numbers(self) -> list[float]:
        """Patients by bin."""
        return [float(number) for number in counts(self.patients)]

    @property
    def better(self) -> Share | None:
        """Share of patients whom it fits better than the base; ``None`` without patients."""
        return better_share(self.numbers, 0.0)

    @property
    def right(self) -> Share | None:
        """Share of patients whose finding it tells; ``None`` unless some have it and some none."""
        return right_share(self.numbers, 0.0)


def score_generator(
    site: Site,
    study: str,
    terms: StudyTerms,
    folder: Path,
    *,
    finding: str,
    report: Progress = no_progress,
) -> SiteScores:
    """Score a generator on a study's held-out patients.

    Args:
        site: The site, with the data set that was approved for the study.
        study: Digest of the study.
        terms: Its terms, which say who is held out and how images are made.
        folder: The generator.
        finding: The finding that it is to tell from none, one of :data:`TOLD`.
        report: Told how many patients are done.

    Raises:
        DataError: If nobody is held out, or the scans cannot be used.
        ModelError: If it is no generator, or no descendant of the study's base.
    """
    # Not what training keeps open: that has the weights of the last round in it.
    base = load_generator(site.base, size_taken(site.base, terms.data.image_size))
    generator = load_generator(folder)
    for each in (base, generator):
        each.to(site.device).eval()
    if generator.image_size != base.image_size or not share_latents(generator, base):
        raise ModelError(
            f"The generator in {folder} was not made from this study's base.",
            hint="Score the generator, or a checkpoint, that the study's coordinator sent.",
        )
    data = open_data(site, terms.data, terms.trainable, terms.vocabulary)
    trained_on = patients_trained_on(site.patients / f"{study}.json")
    keys = [key for key in data.dataset.holdout_patients if key not in trained_on]
    if not keys:
        raise DataError(
            "The study keeps no patient of this data set from training.",
            hint="data.holdout_fraction, or a split in the table of labels, keeps some.",
        )
    scores = []
    for number, key in enumerate(keys, start=1):
        scores.append(_score(data, key, generator, base, finding))
        report("patients", number, len(keys))
    return SiteScores(
        study=study, generator=generator_digest(folder), finding=finding, patients=tuple(scores)
    )


def score_approved(
    home: SiteHome,
    approval: Approval,
    folder: Path,
    *,
    finding: str,
    report: Progress = no_progress,
) -> tuple[Site, SiteScores]:
    """Score a generator for an approved study, and keep the exact result at the site.

    Args:
        home: The site's home.
        approval: The study's approval, which says on which data set.
        folder: The generator.
        finding: The finding that it is to tell from none, one of :data:`TOLD`.
        report: Told how many patients are done.

    Returns:
        The site with the data set, and the scores.

    Raises:
        NotApprovedError: If an earlier release approved the study, which did not keep its terms.
        PrivacyError: If the policy does not allow the data set.
    """
    invitation = Approvals(home).approved_invitation(approval.study)
    site = site_of(home, approval, require_list(home).state)
    load_policy(site.policy).check_data_set(approval.data)
    terms = StudyTerms.from_texts(invitation.terms)
    scores = score_generator(site, approval.study, terms, folder, finding=finding, report=report)
    _keep(scores, scores_file(site, scores))
    return site, scores


def scores_file(site: Site, scores: SiteScores) -> Path:
    """File at the site for a generator's exact scores."""
    name = f"{scores.generator[:12]}-{scores.finding.replace(' ', '-')}.json"
    return site.state / "scores" / scores.study[:12] / name


def _keep(scores: SiteScores, path: Path) -> None:
    """Write exact scores: of all patients together, and of nobody alone."""
    content = {
        "study": scores.study,
        "generator": scores.generator,
        "finding": scores.finding,
        "numbers": scores.numbers,
        "better": scores.better and asdict(scores.better),
        "right": scores.right and asdict(scores.right),
    }
    write_atomically(path, json.dumps(content, indent=2).encode() + b"\n")
    path.chmod(0o600)


def _score(
    data: OpenData, key: str, generator: Generator, base: Generator, finding: str
) -> PatientScore:
    descriptions = data.dataset.patient(key).descriptions
    has_finding = _has_finding(descriptions, finding)
    # Of somebody with the finding, the images that show it.
    indices = [
        number
        for number, one in enumerate(descriptions)
        if not has_finding or one.finding == finding
    ]
    places = [indices[int(at)] for at in np.linspace(0, len(indices) - 1, _IMAGES).round()]
    images = _Images(data, key, sorted(set(places)))
    ratio = images.error(generator) / max(images.error(base), torch.finfo(torch.float32).tiny)
    says_so = None
    if has_finding is not None:
        says_so = images.error(generator, finding) < images.error(generator, "no finding")
    return PatientScore(ratio=ratio, has_finding=has_finding, says_so=says_so)


def _has_finding(descriptions: Sequence[Description], finding: str) -> bool | None:
    """Return whether a patient has the finding; ``None`` with others, or where nothing is known."""
    findings = {one.finding for one in descriptions}
    if finding in findings:
        return True
    return False if findings <= {"no finding", ""} and "no finding" in findings else None


class _Images:
    """Some images of one patient, and the error that a generator makes on them."""

    def __init__(self, data: OpenData, key: str, indices: Sequence[int]) -> None:
        self._examples: list[Example] = data.dataset.examples(key, indices)
        self._latents: Tensor = data.latents.rows(key, indices).latents

    def error(self, generator: Generator, finding: str = "") -> float:
        """Return the mean denoising error over the images and the noises.

        Args:
            generator: The generator.
            finding: What they are said to show; what they are known to show if empty.
        """
        count = len(self._examples)
        captions = [_said(one.description, finding).caption() for one in self._examples]
        steps = num_train_timesteps(generator)
        times = torch.linspace(_TIMES[0] * steps, _TIMES[1] * steps, _NOISES).long()
        rows = LatentRows(
            latents=self._latents,
            text=generator.embed(captions),
            position=torch.tensor([one.position for one in self._examples]),
        ).to(generator.device)
        total = 0.0
        with torch.no_grad():
            for number, time in enumerate(times):
                noise = _noise(number, count, generator.latent_shape).to(generator.device)
                when = time.expand(count).to(generator.device)
                total += float(diffusion_loss(generator, rows, when, noise).mean())
        return total / _NOISES


def _said(description: Description, finding: str) -> Description:
    return replace(description, finding=finding, findings=()) if finding else description


def _noise(number: int, count: int, shape: tuple[int, ...]) -> Tensor:
    digest = hashlib.sha256(f"{_SEED}:{number}".encode()).digest()
    source = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return torch.randn((count, *shape), generator=source)
