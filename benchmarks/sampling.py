"""Images per second of few-step solvers at the Fréchet distance of DDIM with 50 steps.

Run: python benchmarks/sampling.py [MODEL] [--images 512] [--guidance 2]

All solvers start from the same noise and captions, those of made-up bodies. The distance is
measured to other made-up bodies, with the features that the evaluation uses. A solver counts as
equal from the least number of steps at which its distance is at most that of DDIM-50; its rate
over DDIM-50's is the speed-up. Rates are processor time, one thread.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    SchedulerMixin,
    UniPCMultistepScheduler,
)
from fedscan.evaluation.measures.distances import frechet_distance
from fedscan.evaluation.measures.features import load_extractor
from fedscan.model.example import Example
from fedscan.model.generator import Generator
from fedscan.model.sampling import solve
from fedscan.model.storage import load_generator, shipped_base
from fedscan.phantoms.parametric import sample_examples
from numpy.typing import NDArray

_BATCH = 64
_REFERENCE = ("DDIM", 50)
_SOLVERS: dict[str, tuple[type[SchedulerMixin], dict[str, object], tuple[int, ...]]] = {
    "DDIM": (DDIMScheduler, {"clip_sample": False, "timestep_spacing": "trailing"}, (50, 10)),
    "DPM-Solver++": (
        DPMSolverMultistepScheduler,
        {"timestep_spacing": "trailing"},
        (3, 4, 5, 6, 8, 10),
    ),
    "UniPC": (UniPCMultistepScheduler, {"timestep_spacing": "trailing"}, (3, 4, 5, 6, 8, 10)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?", default=shipped_base())
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--guidance", type=float, default=2.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = load_generator(options.model)
    extractor = load_extractor("")
    examples = bodies(options.images, generator.image_size, seed=1)
    real = extractor.features(images(bodies(2 * options.images, generator.image_size, seed=2)))
    scores = {}
    for name, (kind, changes, numbers) in _SOLVERS.items():
        for steps in numbers:
            solver = kind.from_config(generator.scheduler.config, **changes)
            pictures, seconds = draw(generator, solver, examples, options.guidance, steps)
            distance = float(frechet_distance(extractor.features(pictures), real))
            scores[name, steps] = (distance, len(examples) / seconds)
            rate = len(examples) / seconds
            print(f"{name:>13}-{steps:<3} Fréchet {distance:7.1f}  {rate:7.1f} images/s")
    limit, rate = scores[_REFERENCE]
    for name in _SOLVERS:
        equal = [
            n for (one, n), (distance, _) in scores.items() if one == name and distance <= limit
        ]
        if (name, min(equal, default=0)) not in scores or name == _REFERENCE[0]:
            continue
        speed = scores[name, min(equal)][1] / rate
        print(f"{name} needs {min(equal)} steps for DDIM-50's distance: {speed:.1f} x as fast")


def bodies(count: int, size: int, *, seed: int) -> list[Example]:
    rng = np.random.default_rng(seed)
    examples: list[Example] = []
    while len(examples) < count:
        examples += sample_examples(rng, image_size=size, per_volume=4)
    return examples[:count]


def images(examples: list[Example]) -> NDArray[np.float32]:
    return np.stack([example.image for example in examples]).astype(np.float32)


def draw(
    generator: Generator,
    solver: SchedulerMixin,
    examples: list[Example],
    guidance: float,
    steps: int,
) -> tuple[NDArray[np.float32], float]:
    """Draw an image for each example's caption; return them and the processor's seconds."""
    noise = torch.randn(
        len(examples), *generator.latent_shape, generator=torch.Generator().manual_seed(0)
    )
    generator.embed([example.description.caption() for example in examples])  # kept from now on
    parts = []
    begin = time.process_time()
    for start in range(0, len(examples), _BATCH):
        part = examples[start : start + _BATCH]
        latents = solve(
            generator,
            solver,
            noise[start : start + len(part)],
            [example.description.caption() for example in part],
            torch.tensor([example.position for example in part], dtype=torch.float32),
            None,
            guidance,
            steps,
        )
        parts.append(generator.decode(latents)[:, 0].numpy())
    return np.concatenate(parts), time.process_time() - begin


if __name__ == "__main__":
    main()
