"""What a site is told by its own administrator, and where it keeps what must not leave it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flwr.app import UserConfig

from ..common.names import NAME_RULE, is_name
from ..errors import ConfigurationError
from ..model.computing.devices import resolve_devices
from ..model.storage import base_folder


def study_keys(folder: Path) -> Path:
    """Return where the private keys for studies lie, in a home or a simulated site's state."""
    return folder / "keys" / "studies"


@dataclass(frozen=True, kw_only=True)
class Site:
    """A site as its node configuration describes it.

    Attributes:
        name: The site's public name.
        data: Folder of its DICOM files; only read.
        state: Folder for policy, ledger, cache and log; nothing in it leaves the site.
        base: Folder of the public generator that studies start from.
        device: Where PyTorch computes, as it names it.
        other_devices: Further devices, each with a process of its own, that a step's patients are
            shared out to.
        rows_at_once: Rows that go through the network at once; as many as fit if 0.
        memory_share: Part of the device's free memory that it may count on.
        home: Folder with the policy and log of a site with several data sets, if it is one.
        labels: Table that tells the images' findings, splits and reports, if there is one.
        labels_by: What its rows are matched by; see
            :func:`~fedscan.imaging.labels.table.read_table`.
        opted_out: State of the opt-out list, so that what is kept in memory for a site is not
            taken up after somebody was put on it.
    """

    name: str
    data: Path
    state: Path
    base: Path
    device: str = "cpu"
    other_devices: tuple[str, ...] = ()
    rows_at_once: int = 0
    memory_share: float = 1.0
    home: Path | None = None
    labels: Path | None = None
    labels_by: str = ""
    opted_out: str = ""

    @classmethod
    def from_config(cls, config: UserConfig) -> Site:
        """Read Flower's node configuration.

        Raises:
            ConfigurationError: If a value is missing or of a wrong form, or the device is not
                there.
        """
        name = config.get("site")
        if not is_name(name):
            raise ConfigurationError(
                f"The node configuration's site is {name!r}.",
                hint=NAME_RULE,
            )
        folders = {}
        for key in ("data", "state"):
            value = config.get(key)
            if not isinstance(value, str) or not value:
                raise ConfigurationError(
                    f"The node configuration of site {name} has no {key}.",
                    hint=f"Start the node with --node-config '{key}=\"/path\" …'.",
                )
            folders[key] = Path(value)
        labels = config.get("labels")
        device, *others = resolve_devices(str(config.get("device", "cpu")))
        return cls(
            name=name,
            data=folders["data"],
            state=folders["state"],
            base=base_folder(str(config.get("base") or "")),
            device=device,
            other_devices=tuple(others),
            rows_at_once=_number(config, "rows-at-once", 0),
            memory_share=1.0 / _number(config, "sharers", 1),
            labels=Path(str(labels)) if labels else None,
            labels_by=str(config.get("labels-by", "")),
        )

    @property
    def policy(self) -> Path:
        """File with what the site allows; a data set's own one, if it has one, goes first."""
        own = self.state / "policy.toml"
        return own if self.home is None or own.exists() else self.home / "policy.toml"

    @property
    def opt_outs(self) -> Path | None:
        """List of patients who take part in no study; a site without a home has none."""
        return None if self.home is None else self.home / "opt-out.json"

    @property
    def ledger(self) -> Path:
        """Folder of the data set's privacy ledger."""
        return self.state / "ledger"

    @property
    def feedback(self) -> Path:
        """Folder of what compact updates lost to rounding, by study."""
        return self.state / "feedback"

    @property
    def starts(self) -> Path:
        """Folder of what studies' warm-ups changed in the base; may be deleted at any time."""
        return self.state / "starts"

    @property
    def cache(self) -> Path:
        """Folder of decoded images and latents; may be deleted at any time."""
        return self.state / "cache"

    def passes(self, study: str) -> Path:
        """File with how many rows at once a study is computed with; must last as its ledger."""
        return self.state / "passes" / f"{study}.json"

    @property
    def studies(self) -> Path:
        """Folder of the noised counts of patients that each study has paid for."""
        return self.state / "studies"

    @property
    def patients(self) -> Path:
        """Folder of the lists of patients that studies began with; must last as they do."""
        return self.state / "patients"

    def study_cache(self, study: str) -> Path:
        """Folder of a study's images and latents as they were when it began."""
        return self.cache / "studies" / study

    def answers(self, study: str) -> Path:
        """Folder of what has left for a study, to be sent again at no cost."""
        return self.state / "answers" / study

    def sums(self, study: str) -> Path:
        """Folder of what is summed with other sites for a study, before any mask is on it."""
        return self.state / "sums" / study

    @property
    def study_keys(self) -> Path:
        """Folder of the private keys for studies' joint sums."""
        return study_keys(self.state if self.home is None else self.home)

    @property
    def log(self) -> Path:
        """File with the full text of errors."""
        return self.state / "site.log" if self.home is None else self.home / "logs" / "site.log"


def _number(config: UserConfig, key: str, least: int) -> int:
    """Read a whole number of the node configuration; the least one that may be if it has none."""
    value = config.get(key, least)
    if not isinstance(value, int) or value < least:
        raise ConfigurationError(
            f"The node configuration's {key} is {value!r}.",
            hint=f"Give a whole number of at least {least}.",
        )
    return value
