"""``fedscan calibrate``: learning rate and clip norm that fit a study's base."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .console import output, say
from .json_output import print_json
from .options import ConfigOption, DeviceOption, JsonOption, SetOption, study_from
from .progress import progress

_EPILOG = """\
Examples:

- `fedscan calibrate --set generator.base=stable-diffusion --set data.image_size=512
--out study.toml`

- `fedscan calibrate --config study.toml --out calibrated.toml --device cuda`
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("calibrate", epilog=_EPILOG)(calibrate)


def calibrate(
    out: Annotated[Path, typer.Option("--out", "-o", help="Study file to write.")],
    patients: Annotated[int, typer.Option(min=4, help="Made-up patients to look at.")] = 24,
    config: ConfigOption = None,
    sets: SetOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Find learning rate and clip norm for a study's base, on made-up patients.

    No scan is read and no privacy spent. A step then moves the weights that train by at most 1 %,
    and most patients' gradients are a little longer than the clip norm.
    """
    from ..common.files import write_atomically
    from ..config.study import study_to_toml
    from ..simulation.machine.calibration import calibrate as find

    with progress() as report:
        result = find(study_from(config, sets), patients=patients, device=device, progress=report)
    study = result.study
    write_atomically(out, study_to_toml(study).encode())
    facts = {
        "file": out,
        "learning_rate": study.local.learning_rate,
        "clip_norm": study.privacy.clip_norm,
        "lora_start": study.trainable.lora_start,
        "norms": list(result.norms),
        "step_before": result.step_before,
        "step": result.step,
    }
    if as_json:
        print_json(facts)
        return
    low, middle, high = result.norms
    say("Gradients", f"of made-up patients: norm {low:.3g} to {high:.3g}, half below {middle:.3g}")
    say("Clip norm", f"{study.privacy.clip_norm:g}")
    say("Rate", f"{study.local.learning_rate:g}")
    say("A step", f"moves the weights by {result.step:.2%} (before: {result.step_before:.2%})")
    output().print(Text(f"The study is in {out}"))
