"""``fedscan memory``: what a study takes of a machine, before it begins."""

from __future__ import annotations

from dataclasses import asdict

import typer

from .console import say
from .json_output import print_json
from .options import ConfigOption, DeviceOption, JsonOption, SetOption, study_from

_EPILOG = """\
Examples:

- `fedscan memory --config study.toml`

- `fedscan memory --set generator.base=stable-diffusion --set data.image_size=512 --device cuda`
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("memory", epilog=_EPILOG)(memory)


def memory(
    config: ConfigOption = None,
    sets: SetOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Say what a study takes at a site: memory, images at once, and what travels.

    It is measured on the base's configurations: no weight is opened, no scan read, and nothing
    computed or spent.
    """
    from ..model.computing.memory import in_words
    from ..simulation.machine.memory_plan import plan_memory

    result = plan_memory(study_from(config, sets), device)
    if as_json:
        print_json(asdict(result))
        return
    twice = ", most of it computed twice to keep less" if result.computed_twice else ""
    say("Trained", f"{result.numbers:,} numbers, on images of {result.image_size} pixels")
    say("Sent by a site", f"{in_words(result.update)} a round")
    say("Generator", in_words(result.weights))
    say("Training", in_words(result.training))
    say("Images at once", f"{result.rows} of {in_words(result.row)} each{twice}")
    say("Free", f"{in_words(result.free)} on {result.device}")
    if not result.fits:
        say("", "That is too little: use another device, smaller images or fewer draws a patient.")
