"""What a simulated federation costs beyond the training itself.

Run: python benchmarks/simulation_overhead.py [--patients 60 45 30] [--rounds 3]

Three phantom hospitals train for a few rounds, one after the other in this process, and the
time inside the training steps (per-patient gradients, clipping, noise, optimizer) is taken out
of the time of the rounds. What is left is messages, checks, ledger, accounting, aggregation,
checkpoints and history. The first round also plans the noise of the whole study, once.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fedscan.client.answers import round as site_round
from fedscan.config.study import load_study
from fedscan.model.generator import build_generator
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import save_generator
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.settings import PhantomSettings
from fedscan.server.events import Event, RoundFinished
from fedscan.simulation.run import simulate


class Stopwatch:
    """Adds up the seconds spent in a function."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - start

        return timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, nargs="+", default=[60, 45, 30])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", default="small", help="generator's size; its weights are random")
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    options = parser.parse_args()
    training, rounds, inside = Stopwatch(), [], []

    def watch(event: Event) -> None:
        if isinstance(event, RoundFinished):
            rounds.append(event.seconds)
            inside.append(training.seconds - sum(inside))
            print(
                f"round {event.round}: {event.seconds:7.2f} s, of which training "
                f"{inside[-1]:7.2f} s, overhead {event.seconds - inside[-1]:5.2f} s "
                f"({1 - inside[-1] / event.seconds:.1%})",
                flush=True,
            )

    site_round.run_private_steps = training.around(site_round.run_private_steps)
    with tempfile.TemporaryDirectory() as folder:
        data, base, out = (Path(folder, name) for name in ("hospitals", "base", "out"))
        generator = build_generator(GeneratorSettings(size=options.size))
        save_generator(generator, base)
        write_hospitals(data, PhantomSettings(patients=tuple(options.patients)))
        study = load_study(
            None,
            [
                f"generator.base={base}",
                f"data.image_size={generator.image_size}",
                f"federation.rounds={options.rounds}",
                *options.set,
            ],
        )
        simulate(study, data, out, workers=1, evaluate=False, progress=watch)
    total = sum(rounds)
    later = 1 - sum(inside[1:]) / sum(rounds[1:])
    print(f"all rounds: {total:.1f} s, training {sum(inside):.1f} s")
    print(f"overhead beyond training: {1 - sum(inside) / total:.1%}, after round 1 {later:.1%}")


if __name__ == "__main__":
    main()
