"""What a study keeps of its beginning, and what may change when it goes on."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.files import write_atomically
from ...config.study import load_study, study_to_toml
from ...errors import ConfigurationError
from ...federation.invitation import Invitation
from ..begun import CHECKPOINTS, begun, keep_names
from ..terms import other_settings, patience_settings
from .studies import StudyFolder


def keep_approved_base(folder: StudyFolder) -> None:
    """Let a run that has not begun name its base as the invitation did that the sites approved."""
    job = folder.job
    if folder.finished_round == 0 and not (job.run / CHECKPOINTS).exists():
        invitation = Invitation.from_json(folder.invitation.read_bytes())
        keep_names(job.run, folder.study, invitation.base)


def change_patience(folder: StudyFolder, patience: Sequence[str]) -> None:
    """Let a study wait for longer, or for fewer sites, from now on.

    Args:
        folder: The study.
        patience: ``"section.key=value"`` texts.

    Raises:
        ConfigurationError: If a setting is more than patience.
    """
    study = folder.study
    new_study = load_study(folder.root / "study.toml", patience)
    if other := other_settings(new_study, study):
        raise ConfigurationError(
            f"A study that has begun cannot be changed: {other}.",
            hint=f"These can be set on resuming: {', '.join(patience_settings())}.",
        )
    job = folder.job
    keep_names(job.run, study, begun(job.run, study, job.base).base)
    write_atomically(folder.root / "study.toml", study_to_toml(new_study).encode())
