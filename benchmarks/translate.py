"""MAE and SSIM of `fedscan translate` beside a plain regression U-Net on the same pairs.

Run: python benchmarks/translate.py [MODEL] [--to CT] [--patients 10 25 100] [--parametric PART]

Phantom patients scanned in every contrast are written (or, with --parametric, parametric ones are
drawn: other bodies than the base was trained on, but of that kind). Translators learn from the
pairs of the first few of them and are scored on the same other patients: MAE in Hounsfield units
(for MR in shares of the range) over all pixels and within the body, and SSIM. The regression is
MONAI's U-Net, trained as the translator's own; asked both ways (the mean of the answers to an image
and to its mirror image) it is what the translator is without the generator.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from fedscan.applications.translation.pairs import Pairs, find_pairs
from fedscan.applications.translation.regression import answer, answer_both_ways, build_unet, fit
from fedscan.applications.translation.training import TranslatorPlan, train_translator
from fedscan.applications.translation.translator import expected
from fedscan.client.data.dataset import SiteDataset
from fedscan.imaging.settings import DataSettings
from fedscan.model.example import Example
from fedscan.model.intensity import model_to_hounsfield
from fedscan.model.marking import stack, strip
from fedscan.model.storage import load_generator, shipped_base
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.parametric import sample_paired_slices
from fedscan.phantoms.settings import PhantomSettings
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

Floats = NDArray[np.float32]
_HELD_OUT = 20
_SLICES = 6
#: A fifth of the patients of a folder is held out, by their names: enough for all.
_WRITTEN = 1.35


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=shipped_base())
    parser.add_argument("--to", choices=("CT", "T1", "T2"), default="CT")
    parser.add_argument("--patients", type=int, nargs="+", default=[10, 25, 100])
    parser.add_argument("--parametric", choices=("head", "chest", "abdomen"))
    parser.add_argument("--generator-steps", type=int, default=150)
    parser.add_argument("--network-steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=21, help="Of the patients.")
    parser.add_argument("--gallery", type=Path, help="PNG of held-out patients to write.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.parametric:
        patients, others = parametric(options.parametric, max(options.patients), options.seed)
    else:
        patients, others = written(max(options.patients), options.seed)
    test = find_pairs(others, options.to)
    plan = TranslatorPlan(
        generator_steps=options.generator_steps, network_steps=options.network_steps
    )
    captions = [description.caption() for description in test.descriptions]
    inputs = torch.from_numpy(test.sources)[:, None]
    print(f"{len(test.sources)} pairs of {len(others)} patients held out")
    print("| Patients (pairs) | | MAE | MAE in the body | SSIM | s |\n|---|---|---|---|---|---|")
    for count in options.patients:
        train = find_pairs(patients[:count], options.to)
        start = time.process_time()
        plain = regress(train, plan)
        middle = time.process_time()
        translator = train_translator(load_generator(options.model), train, options.to, plan)
        seconds = (middle - start, 0.0, 0.0, time.process_time() - middle)
        alone = expected(translator.generator, inputs, captions, test.positions)
        translation = translator.translate(test.sources, captions, test.positions)
        rows = {
            "regression U-Net": answer(plain, inputs)[:, 0].numpy(),
            "regression U-Net, both ways": answer_both_ways(plain, inputs)[:, 0].numpy(),
            "generator alone": alone[:, 0].numpy(),
            f"fedscan translate, generator's share {translator.share:.0%}": translation,
        }
        for (name, images), took in zip(rows.items(), seconds, strict=True):
            scores = score(images, test.targets, options.to)
            about = f"{count} ({len(train.sources)}) | {name}"
            print(f"| {about} | {scores} | {took:.0f} |", flush=True)
    if options.gallery:
        sample = np.random.default_rng(1).choice(len(test.sources), 6, replace=False)
        pictures = {"source": test.sources, "target": test.targets}
        strips = [
            (name, strip(each[sample], label="phantoms", synthetic=True))
            for name, each in {**pictures, **rows}.items()
        ]
        stack(strips).save(options.gallery, optimize=True)


def regress(pairs: Pairs, plan: TranslatorPlan) -> torch.nn.Module:
    """Fit the plain regression."""
    network = build_unet(plan.seed)
    sources, targets = (torch.from_numpy(each)[:, None] for each in (pairs.sources, pairs.targets))
    fit(network, sources, targets, steps=plan.network_steps, seed=plan.seed)
    return network


def written(count: int, seed: int) -> tuple[list[Sequence[Example]], list[Sequence[Example]]]:
    """Patients to train on and others, from a phantom hospital."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = PhantomSettings(
            patients=(int(_WRITTEN * max(count, 75)),), paired_share=1.0, slices=_SLICES, seed=seed
        )
        [site] = write_hospitals(Path(scratch) / "sites", settings)
        dataset = SiteDataset.open(site.folder, DataSettings(), Path(scratch) / "cache")
        train = [dataset.examples(key) for key in dataset.train_patients[:count]]
        return train, [dataset.examples(key) for key in dataset.holdout_patients[:_HELD_OUT]]


def parametric(
    part: str, count: int, seed: int
) -> tuple[list[Sequence[Example]], list[Sequence[Example]]]:
    """Parametric patients to train on, and others."""
    rng = np.random.default_rng(seed)
    patients: list[Sequence[Example]] = [
        sample_paired_slices(rng, part, image_size=64, count=_SLICES)
        for _ in range(count + _HELD_OUT)
    ]
    return patients[_HELD_OUT:], patients[:_HELD_OUT]


def score(estimate: Floats, truth: Floats, target: str) -> str:
    """Mean absolute errors and SSIM."""
    scale = model_to_hounsfield if target == "CT" else (lambda values: (values + 1) / 2)
    error = np.abs(scale(np.clip(estimate, -1, 1)) - scale(truth))
    inside = truth > -0.9
    alike = np.mean(
        [structural_similarity(a, b, data_range=2.0) for a, b in zip(estimate, truth, strict=True)]
    )
    unit = (lambda x: f"{x:.1f} HU") if target == "CT" else (lambda x: f"{x:.4f}")
    return f"{unit(error.mean())} | {unit(error[inside].mean())} | {alike:.3f}"


if __name__ == "__main__":
    main()
