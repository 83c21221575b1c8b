"""From one contrast to another: a whole scan, where it lies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import ConfigurationError
from ..imaging.reading.scan_files import read_scan
from ..imaging.writing.provenance import Provenance
from ..imaging.writing.space import SliceGrid
from ..model.computing.devices import resolve_device
from ..model.description import BODY_PARTS, Description
from ..model.storage import find_generator, generator_digest
from .results import ComputedVolume, Form, usual_grid
from .translation import translator as translators
from .translation.pairs import TARGETS
from .translation.whole_scan import translate_slices

#: Slice distance of what does not say its own.
_SLICE_MM = 5.0


@dataclass(frozen=True, eq=False, kw_only=True)
class LoadedTranslator:
    """A translator, ready to be asked.

    Attributes:
        network: The translator itself.
        digest: SHA-256 of its weights, 64 hex digits.
    """

    network: translators.Translator
    digest: str


@dataclass(frozen=True, kw_only=True)
class TranslateRequest:
    """A scan to be translated.

    Attributes:
        scan: PNG, NIfTI file, DICOM file, or folder of a DICOM series.
        body_part: What a PNG or NIfTI file shows; DICOM files say it themselves.
        form: Format that the result is written in; as given by default.
    """

    scan: Path
    body_part: str = "head"
    form: Form | None = None

    def __post_init__(self) -> None:
        if self.body_part not in BODY_PARTS:
            raise ConfigurationError(
                f"There is no body part {self.body_part!r}.",
                hint=f"Use one of {', '.join(BODY_PARTS)}.",
            )


def load_translator(path: Path | str, device: str = "auto") -> LoadedTranslator:
    """Open a translator.

    Args:
        path: Its folder: of ``fedscan train-translator --out F --to CT`` it is ``F/CT``.
        device: Where its generator computes: auto, cpu, cuda, cuda:N or mps.

    Raises:
        ConfigurationError: If there is no such device.
        ModelError: If it is missing or damaged.

    >>> import fedscan
    >>> fedscan.load_translator(translator).network.target
    'CT'
    """
    place = resolve_device(device)
    folder = find_generator(Path(path))
    network = translators.load_translator(folder)
    network.generator.to(place)
    return LoadedTranslator(network=network, digest=generator_digest(folder))


def translate(translator: LoadedTranslator, request: TranslateRequest) -> ComputedVolume:
    """Translate a scan; CT comes out in Hounsfield units, too.

    Slices are taken as axial, brought to the generator's size and back to their own.

    Args:
        translator: What translates, and to which contrast.
        request: The scan.

    Raises:
        DataError: If the scan cannot be read.

    >>> import fedscan
    >>> asked = fedscan.TranslateRequest(scan=picture, body_part="head")
    >>> fedscan.translate(fedscan.load_translator(translator), asked).hounsfield.shape
    (1, 32, 32)
    """
    scan, target = read_scan(request.scan), translator.network.target
    description = replace(
        scan.description or Description(modality="MR", body_part=request.body_part, plane="axial"),
        modality=TARGETS[target],
        contrast="",
    )
    images = translate_slices(
        translator.network, scan.to_model(False).clip(-1, 1), description.caption()
    )
    shape = (images.shape[0], images.shape[1], images.shape[2])
    grid: SliceGrid = usual_grid(description, shape, _SLICE_MM)
    if scan.to_lps is not None:
        grid = SliceGrid(to_lps=scan.to_lps)
    return ComputedVolume(
        values=images,
        description=description,
        grid=grid,
        provenance=Provenance(
            prompt="",
            caption=description.caption(),
            seed=0,
            index=0,
            generator=translator.digest,
            derivation=f"translated to {target}",
        ),
        form=request.form or scan.form,
    )
