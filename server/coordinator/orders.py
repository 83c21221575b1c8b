"""What a person orders of the coordinator: a new study, its end, and that it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...common.audit.log import AuditLog
from ...common.files import write_atomically
from ...common.names import require_name
from ...config.study import Study, study_to_toml
from ...errors import ConfigurationError, FederationError
from ...federation.invitation import Invitation
from ...federation.joint.roster import without_roster
from ...model.outline import read_image_sizes
from ...model.storage import generator_digest
from ..fitting import require_fitting
from ..job import base_of
from ..terms import site_terms
from .home import Home
from .resuming import change_patience
from .studies import Order, StudyFolder, find_study, studies


def submit(home: Home, study: Study, *, repeat: bool = False) -> StudyFolder:
    """Take a study in; a running coordinator starts it within seconds.

    Args:
        home: The coordinator's folder.
        study: The study.
        repeat: Take it in even if another study has the same terms, as a repetition of that one.

    Raises:
        ConfigurationError: If its name cannot be a folder's, or is taken, it does not fit its
            base, or the sites could not tell it from another study.
        ModelError: If its base is no generator, or a file of it is damaged.
    """
    require_name(study.name, "a study's folder")
    folder = StudyFolder(home.studies / study.name)
    if (folder.root / "order.json").exists():
        raise ConfigurationError(
            f"There is a study {study.name!r} already.",
            hint="Continue it with `fedscan coordinator resume`, or give this one another name.",
        )
    base = base_of(study)
    require_fitting(study, read_image_sizes(base))
    invitation = invitation_of(study, generator_digest(base))
    if not repeat:
        _require_other_terms(home, invitation)
    study = replace(study, trainable=study.trainable.definite)
    if study.generator.base:  # the folder that the command was run in is not known later
        study = replace(study, generator=replace(study.generator, base=str(base)))
    folder.root.mkdir(parents=True, exist_ok=True)
    write_atomically(folder.root / "study.toml", study_to_toml(study).encode())
    write_atomically(folder.invitation, invitation.to_json())
    folder.write(Order(number=1, action="run"))
    AuditLog(home.audit).append(
        "study-submitted", study=study.name, approved=invitation.digest, base=invitation.base
    )
    return folder


def _require_other_terms(home: Home, invitation: Invitation) -> None:
    """Refuse a study that is another one to its sites: they have paid for that one's rounds only.

    Raises:
        ConfigurationError: If there is a study with the same terms.
    """
    for other in studies(home):
        if (
            other.invitation.exists()
            and _without_roster(other.invitation.read_bytes()) == invitation.digest
        ):
            raise ConfigurationError(
                f"The study {other.name!r} has the same terms as {invitation.name!r}: sites know a "
                "study by its terms, and pay for its rounds once.",
                hint=f"Go on with it by `fedscan coordinator resume {other.name}`. For a new study "
                "change a term, such as federation.rounds. To see whether the same comes out "
                "again, at no cost while the sites keep their answers, add --repeat.",
            )


def _without_roster(invitation: bytes) -> str:
    """Return the digest of a study's terms as they were submitted."""
    return without_roster(Invitation.from_json(invitation).request).study()


def abort(home: Home, name: str) -> None:
    """Stop a study; its checkpoints stay.

    Raises:
        ConfigurationError: If there is no such study.
        FederationError: If it does not run.
    """
    folder = find_study(home, name)
    if folder.phase not in ("waiting", "running"):
        raise FederationError(f"The study {name!r} is {folder.phase}.")
    folder.write(Order(number=folder.order.number + 1, action="stop"))
    AuditLog(home.audit).append("study-abort-ordered", study=name)


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
        change_patience(folder, patience)
    folder.write(Order(number=folder.order.number + 1, action="run"))
    AuditLog(home.audit).append("study-resume-ordered", study=name)


def invitation_of(study: Study, base: str) -> Invitation:
    """Return what sites are asked to approve.

    Args:
        study: The study.
        base: Digest of the generator it starts from.
    """
    return Invitation(
        name=study.name, rounds=study.federation.rounds, base=base, terms=site_terms(study)
    )
