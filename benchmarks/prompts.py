"""Whether a finding in a prompt changes an image in the direction that real images know.

Run: python benchmarks/prompts.py --data FOLDER --asked "hand X-ray, fracture"
         --against "hand X-ray, no finding" [BASE …] [--images 128] [--gallery FILE]

A folder is read as `fedscan pretrain --data` reads it: DICOM files, or pictures with metadata.csv.
Its images that show what either prompt says train a small network to tell one from the other; a
third of the patients (of the images, where a table knows no patients) only tests it. A base draws
both prompts with the same noise. Printed are the network's AUC on real images, the mean by which
the asked finding moves its answer between two such images, with an interval by bootstrap over the
pairs, and in how many pairs the answer moves upwards (chance: 50 %).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from fedscan.evaluation.measures.classifier import predict, train_classifier
from fedscan.evaluation.measures.image_sets import ImageSet
from fedscan.model.description import Description
from fedscan.model.generator import Generator
from fedscan.model.marking import stack, strip
from fedscan.model.prompt import read_prompt
from fedscan.model.sampling import sample
from fedscan.model.storage import load_generator, shipped_base
from fedscan.model.words.tables import shipped_words
from fedscan.simulation.pretraining.source import PublicSource
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

Floats = NDArray[np.float32]
_SEEDS = 3
_RESAMPLES = 2000
_ROW = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bases", nargs="*", type=Path, default=[shipped_base()])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--asked", required=True, help="prompt with the finding")
    parser.add_argument("--against", required=True, help="the same prompt without it")
    parser.add_argument("--images", type=int, default=128, help="pairs to draw")
    parser.add_argument("--real", type=int, default=1200, help="real images of each kind at most")
    parser.add_argument("--network-steps", type=int, default=400)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--gallery", type=Path, help="PNG of some pairs")
    options = parser.parse_args()
    prompts = (options.against, options.asked)
    size = load_generator(options.bases[0]).image_size
    kinds = real_images(options.data, prompts, size, options.real)
    networks, auc = told_apart(kinds, options.network_steps)
    print(f"real images: {len(kinds[1])} with, {len(kinds[0])} without; AUC {auc:.3f}", flush=True)
    views = []
    for base in options.bases:
        generator = load_generator(base, size if base == options.bases[0] else None)
        pairs = [draw(generator, prompt, options) for prompt in prompts]
        without, with_finding = (answer(networks, images) for images in pairs)
        change = with_finding - without
        low, high = interval(change)
        print(
            f"{base.name}: the answer moves by {change.mean():+.3f} [{low:+.3f}, {high:+.3f}], "
            f"upwards in {(change > 0).mean():.0%} of {len(change)} pairs",
            flush=True,
        )
        views += [
            (f"{base.name}: {prompt}", strip(images[:_ROW], label="sample", synthetic=True))
            for prompt, images in zip(prompts, pairs, strict=True)
        ]
    if options.gallery:
        stack(views).save(options.gallery, optimize=True)


def real_images(
    folder: Path, prompts: Sequence[str], size: int, limit: int
) -> tuple[ImageSet, ImageSet]:
    """Return the images without and with the finding, of the prompts' modality and place."""
    public = PublicSource(folder=folder).open(shipped_words(), size).read()
    pairs = list(zip(public.patients, public.examples, strict=True))
    if len(set(public.patients)) < _ROW:
        pairs = [(str(number), example) for number, (_, example) in enumerate(pairs)]
    without, with_finding = (
        ImageSet.of([pair for pair in pairs if shows(pair[1].description, prompt)], limit=limit)
        for prompt in prompts
    )
    return without, with_finding


def shows(description: Description, prompt: str) -> bool:
    """Whether an image is of a prompt's kind."""
    wish = asked_for(prompt)
    return (
        description.modality == wish.modality
        and wish.place in (description.place, description.body_part)
        and set(wish.known_findings) <= {*description.known_findings, description.finding}
    )


def asked_for(prompt: str) -> Description:
    """What a prompt asks for."""
    description = read_prompt(prompt, shipped_words()).description
    if description is None:
        raise SystemExit(f"{prompt!r} names no modality, such as X-ray.")
    return description


def told_apart(kinds: tuple[ImageSet, ImageSet], steps: int) -> tuple[list[torch.nn.Module], float]:
    """Train networks on two thirds of the patients; also their AUC on the others."""
    patients = sorted({key for kind in kinds for key in kind.patients})
    np.random.default_rng(0).shuffle(patients)
    test_patients = set(patients[: len(patients) // 3])
    rows = [np.array([key in test_patients for key in kind.patients]) for kind in kinds]
    training_images, questions = (
        np.concatenate([kind.images[row == is_] for kind, row in zip(kinds, rows, strict=True)])
        for is_ in (False, True)
    )
    labels, truth = (
        np.repeat(np.array([0, 1]), [int((row == is_).sum()) for row in rows])
        for is_ in (False, True)
    )
    networks = [
        train_classifier(training_images, labels, classes=2, steps=steps, seed=seed)
        for seed in range(_SEEDS)
    ]
    return networks, float(roc_auc_score(truth, answer(networks, questions)))


def answer(networks: Sequence[torch.nn.Module], images: Floats) -> Floats:
    """Mean probability of the finding, ``[N]``."""
    return np.mean([predict(network, images)[:, 1] for network in networks], axis=0)


def draw(generator: Generator, prompt: str, options: argparse.Namespace) -> Floats:
    """Draw images, ``[N, H, W]``, with noise that depends on their place alone."""
    return sample(
        generator,
        [asked_for(prompt).caption()] * options.images,
        steps=options.steps,
        guidance_scale=options.guidance,
        seed=0,
    )


def interval(values: Floats) -> tuple[float, float]:
    """95 % of a mean, by bootstrap."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(_RESAMPLES, len(values)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


if __name__ == "__main__":
    main()
