"""A try-out's folder is its own: nothing else is written over or removed, whatever ends it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.errors import ConfigurationError, FederationError
from fedscan.simulation.tryout.own_folder import own_folder, stop_in
from fedscan.simulation.tryout.plan import Tryout, free_ports, phantom_sites, sites_below
from typer.main import get_command
from typer.testing import CliRunner


def tryout(folder: Path, *settings: str, has_phantoms: bool = True, yes: bool = False) -> Tryout:
    port, superlink, dashboard = free_ports(3)
    return Tryout(
        folder=folder,
        scans=phantom_sites(folder, 2),
        has_phantoms=has_phantoms,
        port=port,
        superlink_port=superlink,
        dashboard_port=dashboard,
        settings=settings,
        yes=yes,
    )


def test_it_ends_with_its_folder_unless_that_is_kept(tmp_path: Path) -> None:
    for keep in (False, True):
        folder = tmp_path / str(keep)
        with own_folder(folder, keep=keep):
            (folder / "coordinator").mkdir()
            assert folder.stat().st_mode & 0o077 == 0, "keys will lie there"
        assert folder.exists() == keep


def test_a_folder_that_holds_anything_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="is not empty"), own_folder(tmp_path, keep=False):
        pass
    with pytest.raises(ConfigurationError, match="There is no try-out"):
        stop_in(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_in_good_order_and_a_second_one_disturbs_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    folder, handler, steps = tmp_path / "try", signal.getsignal(number), list[str]()

    def interrupted_twice() -> None:
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        finally:
            os.kill(os.getpid(), number)
            steps.append("cleaned up")

    with pytest.raises(KeyboardInterrupt), own_folder(folder, keep=False):
        interrupted_twice()
    assert steps == ["cleaned up"]
    assert not folder.exists()
    assert signal.getsignal(number) == handler


def test_another_terminal_ends_it(tmp_path: Path) -> None:
    folder, failures = tmp_path / "try", list[Exception]()

    def stop() -> None:
        try:
            stop_in(folder)
        except Exception as failure:
            failures.append(failure)

    other = threading.Thread(target=stop)

    def run() -> None:
        other.start()
        signal.pause()

    with pytest.raises(KeyboardInterrupt), own_folder(folder, keep=False):
        run()
    other.join(60)
    assert failures == []
    assert not folder.exists()


def test_what_a_killed_one_left_is_removed_and_what_was_kept_is_not(tmp_path: Path) -> None:
    for keep in (False, True):
        folder = tmp_path / str(keep)
        folder.mkdir()
        (folder / "tryout.json").write_text(f'{{"keep": {str(keep).lower()}}}')
        with pytest.raises(ConfigurationError, match="--stop"), own_folder(folder, keep=keep):
            pass
    stop_in(tmp_path / "False")
    assert not (tmp_path / "False").exists()
    with pytest.raises(FederationError, match="to be kept"):
        stop_in(tmp_path / "True")
    assert (tmp_path / "True").exists()


def test_given_folders_are_sites_if_they_can_be(tmp_path: Path) -> None:
    (tmp_path / "north").mkdir()
    with pytest.raises(ConfigurationError, match="1 folders"):
        sites_below(tmp_path)
    (tmp_path / "south").mkdir()
    (tmp_path / "notes.txt").touch()
    assert set(sites_below(tmp_path)) == {"north", "south"}
    (tmp_path / "a b").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be the name of a site"):
        sites_below(tmp_path)


def test_its_commands_are_those_of_a_real_federation(tmp_path: Path) -> None:
    """They run in the order of the guides; an option that there is not would be refused here."""
    made = tryout(tmp_path, yes=True)
    does(made.make_coordinator())
    for name, folder in made.scans.items():
        for words in made.make_site(name):
            does(words)
        folder.mkdir(parents=True)
        does(made.add_data(name))
    does(made.submit())
    study = made.study.study
    assert study.about.missing() == ""
    # Of 30 made-up patients a fifth is kept for evaluation; by the rest it is chosen what trains.
    assert study.outlook.patients == (24, 24)
    assert study.trainable.subset != "auto"
    assert "2 sites with 48 training patients" in study.outlook.reason
    command = get_command(app)
    for group, name, *options in (
        made.start_coordinator(),
        made.start_site("hospital-a"),
        made.approve("hospital-a"),
        made.show(),
    ):
        command.commands[group].commands[name].make_context(name, options)  # type: ignore[attr-defined]


def test_it_declares_the_patients_that_it_knows_of(tmp_path: Path) -> None:
    def declared(*settings: str, has_phantoms: bool = True) -> list[str]:
        words = tryout(tmp_path, *settings, has_phantoms=has_phantoms).submit()
        return [after for word, after in pairwise(words) if word == "--patients"]

    assert declared() == ["24", "24"]
    assert declared("data.holdout_fraction=0.5") == ["15", "15"]
    assert declared("outlook.patients=[800, 600]") == ["800", "600"]
    assert declared(has_phantoms=False) == []


def does(words: Sequence[str]) -> None:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
