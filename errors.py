"""The one hierarchy of errors that fedscan raises on purpose.

Each error says what was wrong, with which value, and what to do about it. Only
:attr:`FedscanError.code` may cross a site's border: a message can name a file or
a value, and neither may leave the hospital.
"""

from __future__ import annotations


class FedscanError(Exception):
    """Base of every deliberate fedscan error.

    Args:
        message: What was wrong, with which value.
        hint: What the reader can do about it.

    Attributes:
        code: Short stable name, safe to send across a site's border.
        exit_status: Exit status of the command line when this error ends it.
    """

    code = "error"
    exit_status = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigurationError(FedscanError):
    """A setting is unknown, of the wrong type or out of range."""

    code = "configuration"
    exit_status = 2


class DataError(FedscanError):
    """Scans, masks or cached data cannot be used."""

    code = "data"
    exit_status = 3


class BudgetExceededError(FedscanError):
    """A step would spend more privacy than the data set's ceiling allows."""

    code = "budget-exceeded"
    exit_status = 4


class LedgerError(FedscanError):
    """The privacy ledger is damaged, locked or belongs to another data set."""

    code = "ledger"
    exit_status = 5


class PrivacyError(FedscanError):
    """A private computation was asked for that cannot keep its promise."""

    code = "privacy"
    exit_status = 5


class ChangedResultError(PrivacyError):
    """A step was repeated with another result: the two together would have no noise."""


class ModelError(FedscanError):
    """A generator cannot be built, loaded or used as asked."""

    code = "model"
    exit_status = 6


class ProtocolError(FedscanError):
    """A message between coordinator and site is malformed or of another version."""

    code = "protocol"
    exit_status = 7


class RosterError(FedscanError):
    """A joint sum is asked for with other sites, keys or a second time than was approved."""

    code = "roster"
    exit_status = 7


class StudyOverError(FedscanError):
    """A joint study is over at the site, and its keys are erased: it sums nothing any more."""

    code = "study-over"
    exit_status = 7


class StartNeededError(FedscanError):
    """The site does not have the tensors that the warm-up changed, and asks for them."""

    code = "start-needed"
    exit_status = 7


class UpdateRejectedError(FedscanError):
    """A site's update has a wrong name, shape or dtype, is not finite or too large."""

    code = "update-rejected"
    exit_status = 7


class RoundFailedError(FedscanError):
    """A federated round ended with fewer usable results than it needs."""

    code = "round-failed"
    exit_status = 8


class CheckpointError(FedscanError):
    """A checkpoint is missing, damaged or of another run."""

    code = "checkpoint"
    exit_status = 9


class NotApprovedError(FedscanError):
    """The site's data steward has not approved the study, or not what it now asks for."""

    code = "not-approved"
    exit_status = 7


class PausedError(FedscanError):
    """The site takes no part just now: its steward paused it, or its hours are over."""

    code = "paused"
    exit_status = 7


class EgressError(FedscanError):
    """An outgoing message holds something that may not leave the site."""

    code = "egress"
    exit_status = 5


class AuditError(FedscanError):
    """The audit log is damaged or was changed, or the disk does not take an entry."""

    code = "audit"
    exit_status = 5


class FederationError(FedscanError):
    """A key, certificate or process is not as it must be, or the other side is out of reach."""

    code = "federation"
    exit_status = 10


class SignatureError(FedscanError):
    """A signed document or its key is damaged, changed, or of somebody else."""

    code = "signature"
    exit_status = 7


class GateError(FedscanError):
    """A generator was examined and does not meet the release gate."""

    code = "gate"
    exit_status = 11
