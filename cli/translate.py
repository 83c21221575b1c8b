"""``fedscan train-translator`` and ``fedscan translate``: MR to CT, and T1 to T2."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from .console import output
from .json_output import print_json
from .options import JsonOption, SigningKeyOption
from .progress import progress

if TYPE_CHECKING:
    from ..common.progress import Progress
    from ..model.example import Example

_TRAIN_EPILOG = """\
Examples:

- `fedscan phantoms pairs --patients 200 --paired-share 1`

- `fedscan train-translator run --data pairs/hospital-a --to CT --out translators`

- `fedscan train-translator run --made-up 300 --body-part abdomen --to CT --out abdomen`
"""

_EPILOG = """\
Examples:

- `fedscan translate translators mr.nii.gz --to CT --body-part head`

- `fedscan translate translators series --to T2 --format dicom`
"""


class Target(StrEnum):
    """Contrasts that can be asked for."""

    ct = "CT"
    t1 = "T1"
    t2 = "T2"


class Form(StrEnum):
    """File formats of what was translated."""

    png = "png"
    nifti = "nifti"
    dicom = "dicom"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("train-translator", epilog=_TRAIN_EPILOG)(train)
    app.command("translate", epilog=_EPILOG)(translate)


def train(
    model: Annotated[
        Path, typer.Argument(help="Generator folder, or the folder of a run that holds one.")
    ],
    to: Annotated[Target, typer.Option(help="What to translate to.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(help="DICOM folder of patients scanned in both contrasts. Repeatable."),
    ] = None,
    made_up: Annotated[
        int,
        typer.Option(min=0, help="Made-up patients to learn from, where there are no pairs."),
    ] = 0,
    body_part: Annotated[
        str, typer.Option(help="Part of the made-up patients: head, chest or abdomen.")
    ] = "head",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for translators, one below for each target.")
    ] = Path("translators"),
    generator_steps: Annotated[int, typer.Option(min=1, help="Steps of the generator.")] = 150,
    network_steps: Annotated[
        int, typer.Option(min=1, help="Steps of the regression network.")
    ] = 1500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training.")] = 0,
) -> None:
    """Teach a generator to answer in one contrast what it is shown in another.

    It learns from pairs: the same slice of the same patient in both. Without differential
    privacy: train on phantoms or on public scans, or keep the translator where the scans are.
    Where nobody has pairs, parametric phantoms stand in for them (--made-up). A network learns by
    regression; patients held out tell how much the generator is heard beside it.
    """
    from ..applications.translation.pairs import find_pairs
    from ..applications.translation.training import TranslatorPlan, train_translator
    from ..applications.translation.translator import save_translator
    from ..errors import ConfigurationError, DataError
    from ..model.storage import find_generator, load_generator

    if bool(data) == bool(made_up):
        raise ConfigurationError(
            "A translator learns either from scans (--data) or from made-up patients (--made-up).",
            hint="Made-up patients are for contrasts and body parts of which there are no pairs.",
        )
    folder = out / to.value
    if folder.exists():
        raise DataError(f"{folder} exists already.", hint="Choose another --out.")
    generator = load_generator(find_generator(model))
    with progress() as report:
        patients = (
            _scanned(data, generator.image_size, report)
            if data
            else _made_up(made_up, body_part, generator.image_size, seed)
        )
        pairs = find_pairs(patients, to.value)
        plan = TranslatorPlan(
            generator_steps=generator_steps, network_steps=network_steps, seed=seed
        )
        translator = train_translator(generator, pairs, to.value, plan, on_progress=report)
    save_translator(translator, folder)
    output().print(
        Text(
            f"Trained on {len(pairs.sources)} pairs; the generator's share is "
            f"{translator.share:.0%}; the translator is in {folder}"
        )
    )


def _scanned(data: list[Path], image_size: int, report: Progress) -> list[list[Example]]:
    """Examples of each patient of some folders."""
    from tempfile import TemporaryDirectory

    from ..client.data.dataset import SiteDataset
    from ..imaging.settings import DataSettings

    settings = DataSettings(image_size=image_size, holdout_fraction=0.0)
    with TemporaryDirectory() as cache:
        return [
            dataset.examples(key)
            for number, site in enumerate(data)
            for dataset in [
                SiteDataset.open(site, settings, Path(cache) / str(number), report=report)
            ]
            for key in dataset.patients
        ]


def _made_up(patients: int, body_part: str, image_size: int, seed: int) -> Iterator[list[Example]]:
    """Examples of parametric patients, in every contrast."""
    import numpy as np

    from ..phantoms.parametric import sample_paired_slices

    rng = np.random.default_rng(seed)
    for _ in range(patients):
        yield sample_paired_slices(rng, body_part, image_size=image_size, count=_MADE_UP_SLICES)


def translate(
    translators: Annotated[
        Path, typer.Argument(help="Folder that `fedscan train-translator` wrote into.")
    ],
    scan: Annotated[
        Path, typer.Argument(help="PNG, NIfTI file, DICOM file, or folder of a DICOM series.")
    ],
    to: Annotated[Target, typer.Option(help="What to translate to.")],
    body_part: Annotated[
        str, typer.Option(help="What a PNG or NIfTI file shows; DICOM files say it themselves.")
    ] = "head",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the result.")] = Path(
        "translated"
    ),
    form: Annotated[
        Form | None, typer.Option("--format", help="PNG, NIfTI or DICOM; as given by default.")
    ] = None,
    signing_key: SigningKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Translate a scan into another contrast; CT comes out in Hounsfield units.

    The result is computed, not measured: every file says that it is derived and synthetic, and
    carries nothing of the patient's identity. It lies where the scan lies. Slices are taken as
    axial, brought to the generator's size and back to their own.
    """
    from ..applications.translate import TranslateRequest, load_translator
    from ..applications.translate import translate as translate_scan
    from ..imaging.writing.images import require_unused

    require_unused(out)
    request = TranslateRequest(
        scan=scan, body_part=body_part, form=None if form is None else form.value
    )
    translator = load_translator(translators / to.value)
    made = translate_scan(translator, request)
    written = made.write(out, signing_key=signing_key)
    if as_json:
        print_json(
            {
                "folder": out,
                "file": written.files[0],
                "signer": written.signer,
                "translator": translator.digest,
                "target": to.value,
                "slices": len(made.values),
            }
        )
        return
    output().print(
        Text(f"{len(made.values)} slices translated to {to.value}, in {written.files[0]}")
    )


#: Slices of a made-up patient: another patient teaches more than another slice.
_MADE_UP_SLICES = 6
