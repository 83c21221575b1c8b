"""A generator that is open, and which one it is: what it makes says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..model import storage
from ..model.computing.devices import resolve_device
from ..model.generator import Generator
from ..model.words.learnt import Learnt
from ..model.words.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False, kw_only=True)
class LoadedGenerator:
    """A generator, ready to draw.

    Attributes:
        network: The generator itself.
        digest: SHA-256 of its weights, 64 hex digits.
    """

    network: Generator
    digest: str

    @property
    def image_size(self) -> int:
        """Height and width of its images in pixels."""
        return self.network.image_size

    @property
    def words(self) -> Vocabulary:
        """The words that its prompts are read in."""
        return self.network.words

    @property
    def learnt(self) -> Learnt | None:
        """What its card says that it has learnt; ``None`` if the card says nothing."""
        return self.network.learnt


def load_generator(path: Path | str | None = None, device: str = "auto") -> LoadedGenerator:
    """Open a generator.

    Args:
        path: Its folder, or the folder of a run that holds one; the base that ships with fedscan
            where none is given.
        device: Where it computes: auto, cpu, cuda, cuda:N or mps.

    Raises:
        ConfigurationError: If there is no such device.
        ModelError: If there is none, or it is damaged.

    >>> import fedscan
    >>> fedscan.load_generator(run).image_size
    32
    """
    place = resolve_device(device)
    folder = storage.shipped_base() if path is None else storage.find_generator(Path(path))
    return LoadedGenerator(
        network=storage.load_generator(folder).to(place), digest=storage.generator_digest(folder)
    )
