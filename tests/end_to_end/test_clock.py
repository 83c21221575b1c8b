"""A clock that goes ten minutes wrong while everything runs, at a site and at the coordinator.

The processes' own time of day is changed (``clock/clock.c``), not the machine's.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from comparing import check, in_a_round
from fedscan.errors import FederationError
from loopback import SITES, Federation

pytestmark = pytest.mark.real_processes

COMPILER = shutil.which("cc")
SOURCE = Path(__file__).parent / "clock" / "clock.c"

#: Flower's node is heard of every half a minute at least, and takes a moment to end. What is
#: promised is a minute; a busy machine may need longer.
WITHIN_S = 180.0


class Clocks:
    """The clocks of a federation's machines."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._library = folder, folder / "clock.so"
        command = [COMPILER, "-shared", "-fPIC", "-O2", "-o", self._library, SOURCE, "-ldl"]
        subprocess.run([str(word) for word in command], check=True)

    def prefix(self, name: str) -> list[str]:
        """Return what a process is started with."""
        return ["env", f"LD_PRELOAD={self._library}", f"CLOCK_AHEAD={self._folder / name}"]

    def set(self, name: str, ahead_s: int) -> None:
        """Let a machine's clock be ahead."""
        (self._folder / name).write_text(str(ahead_s))


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> Clocks:
    if COMPILER is None:
        pytest.skip("there is no C compiler")
    return Clocks(tmp_path_factory.mktemp("clocks"))


@pytest.fixture(scope="module")
def federation(clocks: Clocks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    made = Federation(tmp_path_factory.mktemp("federation"), prefix=clocks.prefix)
    yield made
    made.stop()


def ends_with_a_sentence(federation: Federation, site: str, sentence: str) -> None:
    assert federation.process(site).wait(WITHIN_S) == FederationError.exit_status
    said = (federation.root / f"{site}.log").read_text()
    assert f"This machine's clock is 10 minutes {sentence} the other side's." in said
    assert "Set both by NTP" in said


@pytest.mark.parametrize(("ahead_s", "sentence"), [(600, "ahead of"), (-600, "behind")])
def test_a_sites_clock_goes_wrong_in_a_round(
    federation: Federation, clocks: Clocks, whole: str, ahead_s: int, sentence: str
) -> None:
    study = federation.submit(f"site-{'ahead' if ahead_s > 0 else 'behind'}")
    in_a_round(federation, study, 1)
    clocks.set("north", ahead_s)
    ends_with_a_sentence(federation, "north", sentence)
    clocks.set("north", 0)
    federation.start("north")  # as its service does
    check(federation, study, whole)


def test_the_coordinators_clock_goes_wrong_in_a_round(
    federation: Federation, clocks: Clocks, whole: str
) -> None:
    study = federation.submit("coordinator-ahead")
    in_a_round(federation, study, 1)
    clocks.set("coordinator", 600)
    for site in SITES:
        ends_with_a_sentence(federation, site, "behind")
    assert federation.process("coordinator").poll() is None
    clocks.set("coordinator", 0)
    federation.start(*SITES)
    check(federation, study, whole)
