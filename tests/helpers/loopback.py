"""Sets a federation up with the commands that people use, and runs its processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedscan.cli.main import app
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.model.generator import build_generator
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import save_generator
from fedscan.server.coordinator.home import Home
from fedscan.server.coordinator.studies import StudyFolder, find_study
from tiny_hospitals import write_hospitals
from typer.testing import CliRunner

if TYPE_CHECKING:
    from orthanc import Orthanc

SITES = {"north": 6, "south": 5}

#: Generous: on an idle machine nothing takes a tenth of it.
LIMIT_S = 900.0

_STUDY = (
    "data.image_size=32",
    "data.holdout_fraction=0.3",
    "trainable.subset=attention",
    "privacy.clip_norm=1.0",
    "privacy.draws_per_patient=1",
    "local.steps=2",
    "federation.rounds=2",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fedscan(*arguments: object) -> str:
    """Run a command in this process; return what it printed."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exit_code:
        raise AssertionError(f"fedscan {arguments} ended with {result.exit_code}: {result.output}")
    return result.output


def until(condition: Callable[[], Any], what: str, limit_s: float = LIMIT_S) -> Any:
    """Wait until a condition holds; return what it returned."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.1)
    return value


def _nothing(name: str) -> list[str]:
    return []


class Federation:
    """A coordinator and its sites below one folder.

    Args:
        root: The folder.
        sites: The sites, with how many patients each has.
        prefix: Command that a process is started with, by its name; it must run the program
            under its own process number.
        pacs: A running PACS, which then feeds the site ``south`` over DICOMweb.
    """

    def __init__(
        self,
        root: Path,
        prefix: Callable[[str], list[str]] = _nothing,
        pacs: Orthanc | None = None,
        sites: Mapping[str, int] = SITES,
    ) -> None:
        self.root, self.sites = root, tuple(sites)
        self._prefix = prefix
        self.home = Home(root / "coordinator")
        self.base = root / "base"
        save_generator(build_generator(GeneratorSettings(size="tiny")), self.base)
        write_hospitals(root / "scans", dict(sites))
        self._sources = {site: ("--folder", str(root / "scans" / site)) for site in sites}
        if pacs is not None:
            pacs.add(*sorted((root / "scans" / "south").glob("*.dcm")))
            self._sources["south"] = ("--dicomweb", pacs.url)
        self.port = free_port()
        fedscan(
            *("coordinator", "init", "--home", self.home.root, "--host", "127.0.0.1"),
            *("--listen", "127.0.0.1", "--port", self.port, "--superlink-port", free_port()),
        )
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        for site in sites:
            self._set_up(site)

    def site(self, name: str) -> Path:
        """Return a site's home."""
        return self.root / name

    def _set_up(self, name: str) -> None:
        home = self.site(name)
        fedscan("site", "init", name, "--home", home, "--base", self.base)
        policy = home / "policy.toml"
        lines = policy.read_text().splitlines()
        changed = {"min_patients": "1", "epsilon_ceiling": "100.0"}
        policy.write_text(
            "\n".join(
                f"{key} = {changed[key]}" if (key := line.split(" ")[0]) in changed else line
                for line in lines
            )
        )
        self.enrol(name)
        fedscan("site", "add-data", "chest", *self._sources[name], "--home", home)

    def enrol(self, name: str) -> None:
        """Make a site a member, with a certificate in place of an earlier one."""
        home, welcome = self.site(name), self.root / f"welcome-{name}.json"
        fedscan(
            *("coordinator", "enrol", name, "--request", home / "request.json"),
            *("--home", self.home.root, "--out", welcome, "--yes"),
        )
        fedscan("site", "join", welcome, "--yes", "--home", home)

    def submit(
        self, name: str, *changes: str, approved_by: Iterable[str] | None = None
    ) -> StudyFolder:
        """Submit a study that takes seconds, and approve it at sites; at all by default.

        One that has the terms of an earlier one repeats it.
        """
        sets = [f"name={name}", f"generator.base={self.base}", *_STUDY, *changes]
        options = [option for one in sets for option in ("--set", one)]
        fedscan("coordinator", "submit", "--repeat", "--home", self.home.root, *options)
        folder = find_study(self.home, name)
        for site in self.sites if approved_by is None else approved_by:
            self.approve(folder, site)
        return folder

    def approve(self, study: StudyFolder, site: str) -> None:
        """Approve a study at a site."""
        fedscan(
            *("site", "approve", study.invitation, "--data", "chest", "--yes"),
            *("--home", self.site(site)),
        )

    def start(self, *names: str) -> None:
        """Start the coordinator and sites, by name; without names, all of them."""
        for name in names or ("coordinator", *self.sites):
            group = "coordinator" if name == "coordinator" else "site"
            home = self.home.root if group == "coordinator" else self.site(name)
            with (self.root / f"{name}.log").open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    [
                        *self._prefix(name),
                        *(sys.executable, "-c", "from fedscan.cli.main import run; run()"),
                        *(group, "start", "--home", str(home)),
                        *(() if group == "coordinator" else ("--patience", str(LIMIT_S))),
                    ],
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONUNBUFFERED": "1"},
                )

    def withdraw(self, site: str) -> None:
        """Take all approvals of a site back."""
        for approval in Approvals(SiteHome.open(self.site(site))).all():
            fedscan(
                *("site", "approve", approval.study, "--withdraw", "--home", self.site(site)),
            )

    def restart(self, name: str, between: Callable[[], object]) -> None:
        """Stop the coordinator or a site in good order, do something, and start it again."""
        self.process(name).send_signal(signal.SIGTERM)
        assert self.process(name).wait(LIMIT_S) == 0
        between()
        self.start(name)

    def process(self, name: str) -> subprocess.Popen[bytes]:
        """Return a started process."""
        return self._processes[name]

    def stop(self) -> None:
        """Stop what runs, the sites first."""
        for process in reversed(self._processes.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def status(self) -> Mapping[str, Any]:
        """Return what the coordinator says of itself."""
        found: Mapping[str, Any] = json.loads(
            fedscan("coordinator", "status", "--json", "--home", self.home.root)
        )
        return found

    def ready(self) -> None:
        """Wait until the coordinator is ready and all sites are connected."""
        until(
            lambda: (s := self.status())["ready"] and all(one["online"] for one in s["sites"]),
            f"all being connected\n{self.logs()}",
        )

    def finish(self, study: StudyFolder) -> None:
        """Wait for a study's end."""
        until(lambda: study.phase not in ("waiting", "running"), f"the end\n{self.logs()}")
        assert study.phase == "finished", f"{study.state}\n{self.logs()}"

    def logs(self) -> str:
        """Return the ends of all logs."""
        parts = []
        for path in sorted(self.root.rglob("*.log")):
            tail = path.read_text(errors="replace")[-1500:]
            parts.append(f"--- {path.relative_to(self.root)}\n{tail}")
        return "\n".join(parts)
