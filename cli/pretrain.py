"""``fedscan pretrain`` and ``train-denoiser``: what is learnt from made-up bodies alone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .console import output, status
from .json_output import print_json
from .options import JsonOption

_EPILOG = """\
Examples:

- `fedscan pretrain base`

- `fedscan pretrain quick --size tiny --examples 500 --autoencoder-minutes 1
--denoiser-minutes 2`

- `fedscan pretrain longer --start base/generator --autoencoder-minutes 0` trains an
earlier base further.

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
    size: Annotated[
        str, typer.Option(help="Architecture: tiny (32 px), small (64 px) or base (256 px).")
    ] = "small",
    prediction: Annotated[
        str, typer.Option(help="What the U-Net predicts: v_prediction or epsilon.")
    ] = "v_prediction",
    text_encoder: Annotated[
        str, typer.Option(help="minilm, or name or path of a Hugging Face encoder.")
    ] = "minilm",
    examples: Annotated[int, typer.Option(min=1, help="Images to draw.")] = 20_000,
    autoencoder_minutes: Annotated[
        float,
        typer.Option(min=0, help="Training time of the autoencoder; 0 keeps that of --start."),
    ] = 20.0,
    denoiser_minutes: Annotated[
        float, typer.Option(min=0.01, help="Training time of U-Net and adapter.")
    ] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of images, weights and training.")] = 0,
    start: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Generator to go on from, layer by layer where they fit.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Where to train: cpu or cuda.")] = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Train a base generator on parametric phantoms: no scan, no patient, no privacy spent.

    Finished stages are kept in OUT: the same command again continues after them, and one with
    other images or another start is refused.
    """
    from ..common.toml_settings import validated
    from ..model.architecture import ARCHITECTURES
    from ..model.pretraining.run import PretrainPlan
    from ..model.pretraining.run import pretrain as make_base
    from ..model.settings import GeneratorSettings
    from ..phantoms.parametric import sample_examples

    choices = {"size": size, "prediction": prediction, "text_encoder": text_encoder}
    settings = validated(GeneratorSettings, choices, "The command")
    image_size = ARCHITECTURES[settings.size].image_size
    plan = PretrainPlan(
        examples=examples,
        autoencoder_seconds=60 * autoencoder_minutes,
        denoiser_seconds=60 * denoiser_minutes,
        seed=seed,
        start=start,
        device=device,
    )
    lines = _Lines()
    make_base(
        out,
        lambda rng: sample_examples(rng, image_size=image_size, per_volume=_PER_BODY),
        settings,
        plan,
        on_progress=lines.share,
        on_loss=lines,
    )
    if as_json:
        print_json({"generator": out / "generator"})
        return
    output().print(Text(f"The base is in {out / 'generator'}"))


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
