"""What a run of the ServerApp is told: where its study, its base and its results lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flwr.app import UserConfig

from ..config.study import Study
from ..errors import ConfigurationError
from ..model.storage import base_folder

#: What lies in a run's folder, beside the checkpoints.
HISTORY = "history.jsonl"
EVENTS = "events.jsonl"
WARM_UP = "warm-up.safetensors"
COMPOSITIONS = "compositions.json"
PREVIEWS = "previews"

#: What a joint study keeps besides: its roster, its sums under way, whom it suspects of
#: spoiling them, its statistics, and where its keys are erased.
ROSTER = "roster.json"
ATTEMPTS = "attempts.json"
SEARCH = "search.json"
KEYS_ERASED = "keys-erased.json"
STATISTICS = "statistics.safetensors"

_PATHS = ("study", "base", "run", "generator")


@dataclass(frozen=True, kw_only=True)
class ServerJob:
    """The run configuration of the ServerApp.

    Attributes:
        study: TOML file of the study.
        base: Folder of the public generator that the study starts from.
        run: Folder for checkpoints and history.
        generator: Folder for the trained generator.
        resume: Whether to continue from the checkpoints in ``run``.
        device: Where warm-up, sample images and the loss on public images are computed.
    """

    study: Path
    base: Path
    run: Path
    generator: Path
    resume: bool = False
    device: str = "cpu"

    @classmethod
    def from_config(cls, config: UserConfig) -> ServerJob:
        """Read Flower's run configuration.

        Raises:
            ConfigurationError: If a value is missing or of a wrong type.
        """
        for key in _PATHS:
            if not isinstance(config.get(key), str) or not config[key]:
                raise ConfigurationError(
                    f"The run configuration has no {key}.",
                    hint=f"Pass it to Flower, for example -c '{key}=\"/path/to/{key}\"'.",
                )
        resume = config.get("resume", False)
        if not isinstance(resume, bool):
            raise ConfigurationError(
                f"resume is {resume!r} in the run configuration.", hint="Use true or false."
            )
        device = str(config.get("device", "cpu"))
        return cls(**{key: Path(str(config[key])) for key in _PATHS}, resume=resume, device=device)

    def to_config(self) -> UserConfig:
        """Return the run configuration that :meth:`from_config` reads."""
        paths = {key: str(getattr(self, key)) for key in _PATHS}
        return {**paths, "resume": self.resume, "device": self.device}


def base_of(study: Study) -> Path:
    """Return the folder of the generator that a study starts from."""
    return base_folder(study.generator.base).resolve()
