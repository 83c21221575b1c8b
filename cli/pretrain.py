"""``fedscan pretrain`` and ``train-denoiser``: what is learnt from made-up bodies alone."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ..common.counted import counted
from ..errors import ConfigurationError
from ..model.pretraining.pace import Duration
from .console import output, status
from .json_output import print_json
from .options import AllShowOption, DeviceOption, JsonOption, LabelsByOption
from .pretrain_progress import PretrainProgress

if TYPE_CHECKING:
    from ..simulation.pretraining.collect import Collected

_EPILOG = """\
Examples:

- `fedscan pretrain base`

- `fedscan pretrain quick --size tiny --examples 500 --autoencoder-minutes 1
--denoiser-minutes 2`

- `fedscan pretrain base --data films=2 --data brains --never hospitals --size 128` learns from
public images, too; none that is also in `hospitals` is used.

- `fedscan pretrain base --data films --labels films.csv --all-show "chest X-ray"` takes a table
from elsewhere, which does not say what kind of images they are.

- `fedscan pretrain longer --start base/generator` trains an earlier base further.

- `torchrun --nproc-per-node 2 --no-python -- fedscan pretrain base` trains with two processes
or GPUs.

- `fedscan simulate --set generator.base=base/generator` starts a federation from it.
"""
_DENOISER_EPILOG = """\
Examples:

- `fedscan train-denoiser denoiser`

- `fedscan enhance run film.png --denoiser denoiser` uses it in place of the one that ships.
"""
#: Images of one made-up body: drawing a body costs more than another image of it.
_PER_BODY = 8
_SECONDS_BETWEEN_LINES = 30.0


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("pretrain", epilog=_EPILOG)(pretrain)
    app.command("train-denoiser", epilog=_DENOISER_EPILOG)(train_denoiser)


def pretrain(
    out: Annotated[Path, typer.Argument(help="Folder to work in; the base is OUT/generator.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Public images, and how often they are drawn: FOLDER or FOLDER=WEIGHT; again for "
            "each. DICOM files, or pictures with metadata.csv; sources.csv says whose they are."
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Table (CSV) of what the images of --data show, used in each folder that a row of "
            "it is about; elsewhere the folder's own metadata.csv or labels.csv.",
            metavar="FILE",
        ),
    ] = None,
    labels_by: LabelsByOption = None,
    all_show: AllShowOption = "",
    never: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder whose images and patients must not be in the base; again for each.",
        ),
    ] = None,
    phantoms: Annotated[
        float, typer.Option(min=0, help="How often made-up bodies are drawn; 0 for never.")
    ] = 1.0,
    examples: Annotated[int, typer.Option(min=1, help="Images of made-up bodies.")] = 20_000,
    size: Annotated[
        str, typer.Option(help="Architecture: tiny (32 px), small (64 px), 128 or base (256 px).")
    ] = "small",
    prediction: Annotated[
        str, typer.Option(help="What the U-Net predicts: v_prediction or epsilon.")
    ] = "v_prediction",
    text_encoder: Annotated[
        str, typer.Option(help="minilm, or name or path of a Hugging Face encoder.")
    ] = "minilm",
    autoencoder_minutes: Annotated[
        float | None,
        typer.Option(min=0, help="Training time of the autoencoder; 0 keeps that of --start."),
    ] = None,
    autoencoder_images: Annotated[
        int | None, typer.Option(min=0, help="Images that it sees; 0 keeps that of --start.")
    ] = None,
    denoiser_minutes: Annotated[
        float | None, typer.Option(min=0.001, help="Training time of U-Net and adapter.")
    ] = None,
    denoiser_images: Annotated[
        int | None, typer.Option(min=1, help="Images that they see.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of images, weights and training.")] = 0,
    start: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Generator to go on from, as it is; --size and the like then do not count.",
        ),
    ] = None,
    doubled: Annotated[
        bool,
        typer.Option(help="Learn images of twice the size, too, so that generate can draw them."),
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train a base generator on public images and made-up bodies: no privacy is spent.

    A training ends at what comes first of minutes and images; without either after 20 minutes
    (autoencoder, unless --start brings one) and 60 minutes. Every few minutes the state is kept in
    OUT, with a sheet of samples: the same command again goes on where it was stopped, and one with
    other images or another start is refused.
    """
    from ..simulation.pretraining.request import PretrainRequest, pretrain_base
    from ..simulation.pretraining.source import PublicSource

    if not data and (labels or labels_by or all_show):
        raise ConfigurationError(
            "There is no folder that --labels, --labels-by or --all-show could be about.",
            hint="Name one with --data.",
        )
    request = PretrainRequest(
        size=size,
        prediction=prediction,
        text_encoder=text_encoder,
        public=tuple(
            replace(
                PublicSource.parse(text),
                labels=labels,
                labels_by=labels_by or "",
                all_show=all_show,
            )
            for text in data or []
        ),
        never=tuple(never or []),
        phantoms=examples if phantoms else 0,
        phantom_weight=phantoms,
        autoencoder=_autoencoder(autoencoder_images, autoencoder_minutes, start),
        denoiser=_duration(denoiser_images, denoiser_minutes, 60.0),
        seed=seed,
        start=start,
        doubled=doubled,
        device=device,
    )
    with PretrainProgress() as progress:
        base = pretrain_base(
            out,
            request,
            on_progress=progress.collected,
            on_collected=_print_collected,
            on_report=progress.show,
        )
    if as_json:
        facts = {"generator": base.folder, "images": base.images, "left_out": base.left_out}
        print_json({**facts, "set_aside": base.set_aside, "labels": base.labels})
        return
    for what, count in base.left_out.items():
        output().print(Text(f"Left out: {counted(count, 'image')}, {what}."))
    output().print(Text(f"The base is in {base.folder}"))


def _print_collected(collection: Collected) -> None:
    """Say before a long training what was read, and what was not."""
    from ..imaging.examples.pictures import NO_ROW
    from ..imaging.labels.fit import fit_sentences

    lines = []
    for folder, fit in collection.labels.items():
        has_no_header = NO_ROW in collection.left_out.get(folder, {})
        lines += [f"{folder}: {line}" for line in fit_sentences(fit, of_pictures=has_no_header)]
    for folder, reasons in collection.left_out.items():
        listing = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
        lines.append(f"{folder}: Left out: {listing}.")
    for line in lines:
        status().print(Text(line))


def _autoencoder(images: int | None, minutes: float | None, start: Path | None) -> Duration | None:
    if 0 in (images, minutes) or (start is not None and images is None and minutes is None):
        return None
    return _duration(images, minutes, 20.0)


def _duration(images: int | None, minutes: float | None, default_minutes: float) -> Duration:
    if images is None and minutes is None:
        minutes = default_minutes
    return Duration(images=images, seconds=None if minutes is None else 60 * minutes)


def train_denoiser(
    out: Annotated[Path, typer.Argument(help="Folder to write; also keeps the images drawn.")],
    examples: Annotated[int, typer.Option(min=1, help="Images to draw.")] = 12_000,
    size: Annotated[int, typer.Option(min=32, help="Pixels along a side; in steps of 8.")] = 64,
    minutes: Annotated[float, typer.Option(min=0.01, help="Training time.")] = 55.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of images, weights and training.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Train the network that `fedscan enhance` begins with, on parametric phantoms.

    No scan is used, and no privacy spent. The images are kept in OUT: the same command again
    trains anew on them.
    """
    from ..applications.restoration.teaching import DenoiserPlan, make_denoiser
    from ..phantoms.parametric import sample_examples

    plan = DenoiserPlan(images=examples, image_size=size, minutes=minutes, seed=seed)
    lines = _Lines()
    make_denoiser(
        plan,
        out,
        lambda rng: sample_examples(rng, image_size=size, per_volume=_PER_BODY),
        on_progress=lines.share,
        on_step=lambda step, ratio: lines("PSNR in dB", step, ratio),
    )
    if as_json:
        print_json({"denoiser": out})
        return
    output().print(Text(f"The denoiser is in {out}"))


class _Lines:
    """A line on standard error every half minute: a stage ends by time, not by steps."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, stage: str, step: int, value: float) -> None:
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            status().print(Text(f"{stage}: step {step}, {value:.4f}"))

    def share(self, what: str, done: int, of: int) -> None:
        """Tell what has an end, in the same words."""
        self(what, done, done / of)
