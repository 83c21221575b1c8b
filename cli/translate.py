"""``fedscan train-translator`` and ``fedscan translate``: MR to CT, and T1 to T2."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..common.counted import counted
from .console import output
from .images import ResultOption, ScanArgument, ScanFormOption, require_new, volume_document
from .json_output import print_json
from .options import DeviceOption, GeneratorArgument, JsonOption, SigningKeyOption
from .progress import progress

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


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("train-translator", epilog=_TRAIN_EPILOG)(train)
    app.command("translate", epilog=_EPILOG)(translate)


def train(
    model: GeneratorArgument,
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
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Teach a generator to answer in one contrast what it is shown in another.

    It learns from pairs: the same slice of the same patient in both. Without differential
    privacy: train on phantoms or on public scans, or keep the translator where the scans are.
    Where nobody has pairs, parametric phantoms stand in for them (--made-up). A network learns by
    regression; patients held out tell how much the generator is heard beside it.
    """
    from ..model.storage import find_generator
    from ..simulation.translating import TrainTranslatorRequest, teach_translator

    request = TrainTranslatorRequest(
        generator=find_generator(model),
        to=to.value,
        out=out,
        data=tuple(data or ()),
        made_up=made_up,
        body_part=body_part,
        generator_steps=generator_steps,
        network_steps=network_steps,
        seed=seed,
        device=device,
    )
    with progress() as report:
        result = teach_translator(request, progress=report)
    if as_json:
        print_json({"translator": result.folder, "pairs": result.pairs, "share": result.share})
        return
    output().print(
        Text(
            f"Trained on {result.pairs} pairs; the generator's share is {result.share:.0%}; "
            f"the translator is in {result.folder}"
        )
    )


def translate(
    translators: Annotated[
        Path, typer.Argument(help="Folder that `fedscan train-translator` wrote into.")
    ],
    scan: ScanArgument,
    to: Annotated[Target, typer.Option(help="What to translate to.")],
    body_part: Annotated[
        str, typer.Option(help="What a PNG or NIfTI file shows; DICOM files say it themselves.")
    ] = "head",
    out: ResultOption = Path("translated"),
    form: ScanFormOption = None,
    device: DeviceOption = "auto",
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

    require_new(out)
    request = TranslateRequest(
        scan=scan, body_part=body_part, form=None if form is None else form.value
    )
    translator = load_translator(translators / to.value, device)
    result = translate_scan(translator, request)
    folder = result.write(out, signing_key=signing_key)
    if as_json:
        print_json(
            {
                **volume_document(folder),
                "translator": translator.digest,
                "target": to.value,
                "slices": len(result.values),
            }
        )
        return
    output().print(
        Text(
            f"{counted(len(result.values), 'slice')} translated to {to.value}, in {folder.files[0]}"
        )
    )
