"""A site's home folder: what lies where, and the site's own settings."""

from __future__ import annotations

from dataclasses import dataclass as plain_dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from ...common.audit import AuditLog
from ...common.files import write_atomically
from ...common.names import Name
from ...common.toml_settings import read_settings
from ...errors import ConfigurationError

_HEADING = "# This site. What studies may do here is in policy.toml.\n\n"


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class SiteSettings:
    """The settings in ``site.toml``."""

    name: Name = Field(description="The site's public name.")
    coordinator: str = Field(
        default="", description="Address of the coordinator, host:port; from its welcome."
    )
    base: str = Field(
        default="",
        description="Folder of the generator that studies start from. Empty: the one that ships "
        "with fedscan.",
    )
    device: str = Field(
        default="auto",
        description="Where PyTorch computes: auto, cpu, cuda, cuda:N or mps. auto is a GPU where "
        "the policy allows it and there is one. Several GPUs of one model share the patients of "
        "each step: cuda:0,cuda:1.",
    )
    rows_at_once: int = Field(
        default=0,
        ge=0,
        le=4096,
        description="Images that go through the network at once. 0: as many as the free memory "
        "holds, fewer where it runs out. It changes no promise, only time and memory.",
    )
    warm_minutes: float = Field(
        default=10.0,
        ge=0,
        le=1440,
        description="How long the process that answered a message stays for the next one, with the "
        "base open. 0: every message has a process of its own. It changes no answer, only time and "
        "memory at rest.",
    )


_ADAPTER = TypeAdapter(SiteSettings)


@plain_dataclass(frozen=True)
class SiteHome:
    """A site's home folder.

    Attributes:
        folder: The folder; everything of the site lies in it but the scans.
    """

    folder: Path

    @classmethod
    def open(cls, folder: Path) -> SiteHome:
        """Open a home that was set up.

        Raises:
            ConfigurationError: If there is none.
        """
        home = cls(folder.resolve())
        if not home.settings_file.is_file():
            raise ConfigurationError(
                f"There is no site in {folder}.",
                hint="`fedscan site init NAME --home FOLDER` sets one up.",
            )
        return home

    def settings(self) -> SiteSettings:
        """Read ``site.toml``.

        Raises:
            ConfigurationError: If it is missing or wrong.
        """
        return read_settings(
            SiteSettings,
            self.settings_file,
            what="The site's settings",
            hint="Mend it. If it cannot be mended, move it away: `fedscan site init NAME --home "
            "FOLDER` writes a new one beside the keys, policy and ledgers that are there, and "
            "`fedscan site join WELCOME` sets its coordinator.",
        )

    def write_settings(self, settings: SiteSettings) -> None:
        """Write ``site.toml``."""
        text = _HEADING + tomli_w.dumps(_ADAPTER.dump_python(settings, mode="json"))
        write_atomically(self.settings_file, text.encode())

    def change_settings(self, **changes: Any) -> SiteSettings:
        """Write ``site.toml`` with some settings changed."""
        settings = replace(self.settings(), **changes)
        self.write_settings(settings)
        return settings

    def state(self, data_set: str) -> Path:
        """Folder for what belongs to one data set: ledger, cache, identity."""
        return self.folder / "data" / data_set

    def policy_of(self, data_set: str) -> Path:
        """Return the policy that holds for a data set: its own, if it has one."""
        own = self.state(data_set) / "policy.toml"
        return own if own.exists() else self.policy

    @property
    def log(self) -> AuditLog:
        """The site's audit log."""
        return AuditLog(self.audit)

    @property
    def settings_file(self) -> Path:
        """``site.toml``."""
        return self.folder / "site.toml"

    @property
    def policy(self) -> Path:
        """What studies may do here."""
        return self.folder / "policy.toml"

    @property
    def tls_key(self) -> Path:
        """Private key of the certificate."""
        return self.folder / "keys" / "tls.key"

    @property
    def node_key(self) -> Path:
        """Private key that Flower's node proves itself with."""
        return self.folder / "keys" / "node.key"

    @property
    def evidence_key(self) -> Path:
        """Private key that the site signs evidence with."""
        return self.folder / "keys" / "evidence.key"

    @property
    def request(self) -> Path:
        """What goes to the coordinator: certificate request and public key."""
        return self.folder / "request.json"

    @property
    def authority(self) -> Path:
        """Certificate of the coordinator's authority."""
        return self.folder / "ca.crt"

    @property
    def certificate(self) -> Path:
        """The site's own certificate."""
        return self.folder / "client.crt"

    @property
    def record_key(self) -> Path:
        """Public key that the coordinator signs the record of a study with."""
        return self.folder / "record.pub"

    @property
    def counter_signed(self) -> Path:
        """What the coordinator signed of this site's ledgers when it was last asked."""
        return self.folder / "counter-signed.json"

    @property
    def registry(self) -> Path:
        """The site's data sets."""
        return self.folder / "data.toml"

    @property
    def opt_outs(self) -> Path:
        """Patients who take part in no study."""
        return self.folder / "opt-out.json"

    @property
    def approvals(self) -> Path:
        """One file for each approved study."""
        return self.folder / "approvals"

    @property
    def invitations(self) -> Path:
        """What was approved: one file for each study that was."""
        return self.folder / "invitations"

    @property
    def pending(self) -> Path:
        """One file for each study that asked without being approved."""
        return self.folder / "pending"

    @property
    def declines(self) -> Path:
        """One file for each study that was declined."""
        return self.folder / "declined"

    @property
    def audit(self) -> Path:
        """Who asked what, what was answered, what left."""
        return self.folder / "audit.jsonl"

    @property
    def logs(self) -> Path:
        """Folder of logs; they stay at the site."""
        return self.folder / "logs"

    @property
    def pause_file(self) -> Path:
        """Exists while the site is paused."""
        return self.folder / "paused"

    @property
    def run(self) -> Path:
        """Folder of what the running daemon needs; may be deleted while it does not run."""
        return self.folder / "run"
