"""What a try-out is made of, and the commands that people would type for it.

They are the commands of a real federation, so whoever reads them along has learnt them.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...common.names import require_name
from ...config.study import load_study
from ...errors import ConfigurationError
from ...federation.pki.enrolment import EnrolmentRequest
from ...federation.pki.keys import fingerprint
from ...phantoms.profile import hospital_profile
from ...server.coordinator.home import Home
from ...server.coordinator.studies import StudyFolder

#: The words of a command after ``fedscan``.
Words = tuple[str, ...]

STUDY = "try"
_DATA = "scans"
#: Sites without which there is no federation.
_FEWEST = 2
#: More than the default policy's 20 are left to train where a fifth is kept for evaluation.
_PATIENTS = 30

#: A study of minutes: a few short rounds on few images.
_STUDY = (
    "about.purpose=To try a federation on one machine.",
    "about.contact=Whoever typed the command.",
    "about.ethics=Whoever brings scans of patients sees to it.",
    "about.retention=Until the try-out ends.",
    "about.intended_use=None: so few rounds make no good images.",
    "privacy.draws_per_patient=1",
    "local.steps=2",
    "federation.rounds=3",
    # Sites start when a person has read and approved, however long that takes.
    "federation.wait_timeout_s=86400",
)


@dataclass(frozen=True, kw_only=True)
class Tryout:
    """A coordinator, its proxy and some sites in one folder.

    Attributes:
        folder: The folder; all of it is the try-out's own.
        scans: Folder of DICOM files of each site, by the site's name.
        has_phantoms: Whether they are made-up patients, still to be written.
        port: Port of the proxy, on loopback.
        superlink_port: Port of Flower's SuperLink, on loopback.
        dashboard_port: Port of the page, on loopback.
        settings: The study's settings that are not the try-out's own, ``section.key=value``.
        yes: Whether the studies are approved without asking.
    """

    folder: Path
    scans: Mapping[str, Path]
    has_phantoms: bool
    port: int
    superlink_port: int
    dashboard_port: int
    settings: Sequence[str] = field(default=())
    yes: bool = False

    @property
    def coordinator(self) -> Home:
        """The coordinator's folder."""
        return Home((self.folder / "coordinator").resolve())

    @property
    def study(self) -> StudyFolder:
        """The study."""
        return StudyFolder(self.coordinator.studies / STUDY)

    def site(self, name: str) -> Path:
        """Return a site's home."""
        return self.folder / "sites" / name

    def make_coordinator(self) -> Words:
        """Return the command that makes the coordinator's folder."""
        return (
            *("coordinator", "init", *self._home(), "--host", "127.0.0.1"),
            *("--listen", "127.0.0.1", "--port", str(self.port)),
            *("--superlink-port", str(self.superlink_port)),
        )

    def write_phantoms(self) -> Words:
        """Return the command that writes small hospitals of made-up patients."""
        patients = ",".join([str(_PATIENTS)] * len(self.scans))
        return (
            *("phantoms", str(self.folder / "scans"), "--patients", patients),
            *("--contrasts", "T1", "--slices", "3", "--mask-share", "0"),
        )

    def make_site(self, name: str) -> Iterator[Words]:
        """Yield the commands that make a member; each is to be run before the next is asked for.

        Both fingerprints are compared as on the telephone, for both sides are here.
        """
        home = ("--home", str(self.site(name)))
        welcome = str(self.folder / f"welcome-{name}.json")
        yield ("site", "init", name, *home)
        request = self.site(name) / "request.json"
        yield (
            *("coordinator", "enrol", name, "--request", str(request), "--out", welcome),
            *("--fingerprint", EnrolmentRequest.from_json(request.read_bytes()).fingerprint),
            *self._home(),
        )
        authority = fingerprint(self.coordinator.authority.certificate_file.read_bytes())
        yield ("site", "join", welcome, "--fingerprint", authority, *home)

    def add_data(self, name: str) -> Words:
        """Return the command that adds a site's scans."""
        home = ("--home", str(self.site(name)))
        return ("site", "add-data", _DATA, "--folder", str(self.scans[name]), *home)

    def submit(self) -> Words:
        """Return the command that submits the study, with the patients that its sites declare.

        How many folders of one's own hold is not known before they are indexed.
        """
        sites = f"federation.expected_sites={len(self.scans)}"
        settings = [f"name={STUDY}", sites, *_STUDY, *self.settings]
        patients = self._declared(settings) if self.has_phantoms else ()
        return (
            *("coordinator", "submit", *self._home()),
            *(word for count in patients for word in ("--patients", str(count))),
            *(word for setting in settings for word in ("--set", setting)),
        )

    def approve(self, name: str) -> Words:
        """Return the command with which a site's steward decides."""
        answer = ("--yes",) if self.yes else ()
        invitation = os.path.relpath(self.study.invitation)
        home = ("--home", str(self.site(name)))
        return ("site", "approve", invitation, "--data", _DATA, *home, *answer)

    def start_coordinator(self) -> Words:
        """Return the command that runs the coordinator."""
        return ("coordinator", "start", *self._home())

    def start_site(self, name: str) -> Words:
        """Return the command that runs a site, which waits until the coordinator is ready."""
        return ("site", "start", "--home", str(self.site(name)), "--patience", "600")

    def show(self) -> Words:
        """Return the command that shows the study on a page."""
        port = ("--port", str(self.dashboard_port))
        return ("coordinator", "dashboard", STUDY, *self._home(), *port)

    def _declared(self, settings: Sequence[str]) -> tuple[int, ...]:
        """Return about how many of each site's made-up patients the study trains on."""
        study = load_study(None, settings)
        if study.outlook.patients:
            return study.outlook.patients
        return (round(_PATIENTS * (1 - study.data.holdout_fraction)),) * len(self.scans)

    def _home(self) -> Words:
        return ("--home", str(self.folder / "coordinator"))


def phantom_sites(folder: Path, count: int) -> dict[str, Path]:
    """Return the folders of so many hospitals of made-up patients, by their names."""
    names = [hospital_profile(number, 0).name for number in range(count)]
    return {name: (folder / "scans" / name).resolve() for name in names}


def sites_below(folder: Path) -> dict[str, Path]:
    """Return the folders of a try-out's sites by their names.

    Args:
        folder: Holds one folder for each site.

    Raises:
        ConfigurationError: If there are too few, or one has no name of a site.
    """
    folders = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if len(folders) < _FEWEST:
        raise ConfigurationError(
            f"{folder} holds {len(folders)} folders.",
            hint=f"A federation needs {_FEWEST} sites: one folder of DICOM files for each.",
        )
    for path in folders:
        require_name(path.name, "a site")
    return {path.name: path.resolve() for path in folders}


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface that nobody uses now, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
