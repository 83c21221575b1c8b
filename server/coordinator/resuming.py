"""Going on with a study that failed or was aborted, with another patience if need be."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.audit.log import AuditLog
from ...common.files import write_atomically
from ...config.study import load_study, study_to_toml
from ...errors import ConfigurationError, FederationError
from ...federation.invitation import Invitation
from ..begun import CHECKPOINTS, begun, keep_names
from ..terms import other_settings, patience_settings
from .home import Home
from .studies import Order, StudyFolder, find_study


def resume(home: Home, name: str, patience: Sequence[str] = ()) -> None:
    """Continue a study from its last checkpoint.

    Args:
        home: The coordinator's folder.
        name: The study's name.
        patience: ``"section.key=value"`` texts: how long to wait for whom from now on.

    Raises:
        ConfigurationError: If there is no such study, or a setting is more than patience.
        FederationError: If it runs or has finished.
    """
    folder = find_study(home, name)
    if folder.phase not in ("failed", "aborted"):
        raise FederationError(f"The study {name!r} is {folder.phase}.")
    if patience:
        _change_patience(folder, patience)
    folder.write(Order(number=folder.order.number + 1, action="run"))
    AuditLog(home.audit).append("study-resume-ordered", study=name)


def keep_approved_base(folder: StudyFolder) -> None:
    """Let a run that has not begun name its base as the invitation did that the sites approved."""
    job = folder.job
    if folder.finished_round == 0 and not (job.run / CHECKPOINTS).exists():
        invited = Invitation.from_json(folder.invitation.read_bytes())
        keep_names(job.run, folder.study, invited.base)


def _change_patience(folder: StudyFolder, patience: Sequence[str]) -> None:
    study = folder.study
    changed = load_study(folder.root / "study.toml", patience)
    if other := other_settings(changed, study):
        raise ConfigurationError(
            f"A study that has begun cannot be changed: {other}.",
            hint=f"These can be set on resuming: {', '.join(patience_settings())}.",
        )
    job = folder.job
    keep_names(job.run, study, begun(job.run, study, job.base).base)
    write_atomically(folder.root / "study.toml", study_to_toml(changed).encode())
