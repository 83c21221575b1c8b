"""Giving a round's generator out to be scored, and taking in what sites release of it."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.numpy import load_file

from ...common.audit.log import AuditLog
from ...errors import FederationError, ProtocolError
from ...federation.invitation import Invitation
from ...federation.pki.certificates import load_certificate
from ...federation.scores import ScoreReport, read_report
from ...model.storage import generator_digest, load_generator, save_generator
from ...model.trainable import merge_lora, replace_tensors, select_trainable
from ...model.words.tables import study_words
from ..begun import CHECKPOINTS, begun
from ..checkpoint import Checkpoints
from ..job import WARM_UP
from .home import Home
from .members import members
from .scores import add_report, exported_rounds, note_export
from .studies import StudyFolder, find_study


def export_round(home: Home, name: str, target: Path, number: int = 0) -> int:
    """Write the generator of a round, for sites to score.

    Args:
        home: The coordinator's folder.
        name: The study's name.
        target: A new folder.
        number: The round; the last finished one if 0.

    Returns:
        The round.

    Raises:
        CheckpointError: If the round's checkpoint is damaged.
        ConfigurationError: If there is no such study, or the round is not kept.
    """
    folder = find_study(home, name)
    study, job = folder.study, folder.job
    names = begun(job.run, study, job.base)
    checkpoints = Checkpoints(
        job.run / CHECKPOINTS, study=names.training, limit=study.federation.checkpoints_kept
    )
    state = checkpoints.of_round(number or folder.finished_round)
    generator = load_generator(job.base)
    if (job.run / WARM_UP).exists():
        replace_tensors(generator, load_file(job.run / WARM_UP))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(study.seed)
        parameters = select_trainable(generator, study.trainable)
    with torch.no_grad():
        for key, parameter in parameters.items():
            parameter.copy_(torch.from_numpy(state.final()[key].copy()))
    merge_lora(generator)
    generator.words = study_words(study.vocabulary, generator.words)
    save_generator(generator, target, {"study": study.name, "round": state.round})
    note_export(job.run, generator_digest(target), state.round)
    return state.round


def take_scores(home: Home, name: str, content: bytes) -> ScoreReport:
    """Take in what a site released.

    Args:
        home: The coordinator's folder.
        name: The study's name.
        content: The site's file.

    Raises:
        ConfigurationError: If there is no such study.
        FederationError: If the site is no member.
        ProtocolError: If it is no such file, or of another study or generator.
        SignatureError: If the site did not sign it.
    """
    folder, document = find_study(home, name), read_report(content)
    site = document.report.site
    if site not in {member.site for member in members(home)}:
        raise FederationError(
            f"There is no site {site!r} in this federation.", hint="Its membership may be over."
        )
    certificate = load_certificate(home.sites / site / "client.crt")
    report = document.require_signed_by(certificate.public_key())  # type: ignore[arg-type]
    if report.study != Invitation.from_json(folder.invitation.read_bytes()).digest:
        raise ProtocolError(
            f"The scores of site {site!r} are of another study.",
            hint="Name the study whose generator the site scored.",
        )
    _require_known(folder, report)
    add_report(folder.job.run, report)
    AuditLog(home.audit).append(
        "scores-received", study=name, site=site, generator=report.generator
    )
    return report


def _require_known(folder: StudyFolder, report: ScoreReport) -> None:
    """Refuse scores of a generator that is of no round of the study."""
    job = folder.job
    if report.generator in exported_rounds(job.run):
        return
    if job.generator.is_dir() and generator_digest(job.generator) == report.generator:
        note_export(job.run, report.generator, folder.study.federation.rounds)
        return
    raise ProtocolError(
        f"The scores of site {report.site!r} are of a generator that this study did not make.",
        hint="`fedscan coordinator checkpoint STUDY` writes a round's generator for the sites.",
    )
