"""Studies on disk: what a person ordered, what the coordinator did about it, what came of it.

Three files with one writer each. ``order.json`` is written by the command line, ``state.json`` by
the running coordinator, ``outcome.json`` by the study's ServerApp. Whichever of them dies, the
others' words still stand, and the coordinator compares them when it is started again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter

from ...common.files import write_atomically
from ...common.locks import is_locked
from ...config.study import Study, load_study
from ...errors import ConfigurationError, FederationError
from ..job import ServerJob, base_of
from .home import Home

#: What a study is doing. "waiting" and "aborted" follow an order at once, without the coordinator.
Phase = Literal["waiting", "running", "finished", "failed", "aborted"]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What was last ordered for a study.

    Attributes:
        number: Counts the orders; a higher one replaces a lower.
        action: Whether to run the study or to stop it.
    """

    number: int = 0
    action: Literal["run", "stop"] = "stop"


@dataclass(frozen=True, kw_only=True)
class State:
    """What the coordinator did about the orders.

    Attributes:
        order: Number of the last order that it has followed.
        phase: What the study is doing.
        run: Flower's number of the last run; 0 before the first.
        attempts: Runs that were started for this order since a round was finished.
        reached: Last finished round when the last run was started.
        message: What went wrong, for people.
    """

    order: int = 0
    phase: Phase = "waiting"
    run: int = 0
    attempts: int = 0
    reached: int = 0
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the study's ServerApp says of itself.

    Attributes:
        run: Flower's number of its run.
        code: "running", "ok" or an error's code.
        message: What went wrong and what to do, for people.
        pid: Its process number.
    """

    run: int = 0
    code: str = ""
    message: str = ""
    pid: int = 0


Value = TypeVar("Value", Order, State, Outcome)


class StudyFolder:
    """The folder of one study.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def name(self) -> str:
        """The study's name."""
        return self.root.name

    @property
    def job(self) -> ServerJob:
        """Where study, base and results lie; always to be continued from the last checkpoint."""
        return ServerJob(
            study=self.root / "study.toml",
            base=base_of(self.study),
            run=self.root / "run",
            generator=self.root / "generator",
            resume=True,
        )

    @property
    def study(self) -> Study:
        """The study as it was submitted."""
        return load_study(self.root / "study.toml")

    @property
    def record(self) -> Path:
        """The signed record of the finished study."""
        return self.root / "record.json"

    @property
    def invitation(self) -> Path:
        """The invitation that goes to the sites."""
        return self.root / f"{self.name}.invitation.json"

    @property
    def log(self) -> Path:
        """What the study's ServerApp writes."""
        return self.root / "server.log"

    @property
    def order(self) -> Order:
        """What was last ordered."""
        return _read(self.root / "order.json", Order())

    @property
    def state(self) -> State:
        """What the coordinator did about it."""
        return _read(self.root / "state.json", State())

    @property
    def outcome(self) -> Outcome:
        """What came of it."""
        return _read(self.root / "outcome.json", Outcome())

    def write(self, value: Order | State | Outcome) -> None:
        """Write one of the three files."""
        path = self.root / f"{type(value).__name__.lower()}.json"
        write_atomically(path, json.dumps(asdict(value), indent=2).encode())

    @property
    def phase(self) -> Phase:
        """What the study is doing, with an order that is not yet followed counted in."""
        order, state = self.order, self.state
        if order.number > state.order:
            return "waiting" if order.action == "run" else "aborted"
        return state.phase

    @property
    def finished_round(self) -> int:
        """Number of the last round with a checkpoint; 0 without one."""
        names = (folder.name for folder in (self.root / "run" / "checkpoints").glob("round-*"))
        return max((int(name.removeprefix("round-")) for name in names), default=0)

    @property
    def lock(self) -> Path:
        """The lock that the study's ServerApp holds while it lives."""
        return self.root / "server.lock"

    def is_served(self) -> bool:
        """Return whether a ServerApp works on the study."""
        return is_locked(self.lock)


def studies(home: Home) -> Iterator[StudyFolder]:
    """Yield the studies by name."""
    for folder in sorted(home.studies.iterdir()):
        if (folder / "order.json").exists():
            yield StudyFolder(folder)


def find_study(home: Home, name: str) -> StudyFolder:
    """Return a study by its name.

    Raises:
        ConfigurationError: If there is none.
    """
    by_name = {folder.name: folder for folder in studies(home)}
    if name not in by_name:
        raise ConfigurationError(
            f"There is no study {name!r}.",
            hint=f"There are: {', '.join(by_name)}." if by_name else "None was submitted yet.",
        )
    return by_name[name]


def _read(path: Path, default: Value) -> Value:
    try:
        content: Any = path.read_bytes()
    except FileNotFoundError:
        return default
    try:
        return TypeAdapter(type(default)).validate_json(content)
    except ValueError as error:
        raise FederationError(
            f"{path} is damaged.", hint="Remove it, then abort and resume the study."
        ) from error
