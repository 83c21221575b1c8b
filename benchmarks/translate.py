"""MAE and SSIM of `fedscan translate` beside a plain regression U-Net on the same pairs.

Run: python benchmarks/translate.py [MODEL] [--to CT] [--patients 120] [--generator-steps 300]

Phantom patients scanned in every contrast are written; a fifth of them is held out. The
regression is MONAI's U-Net, of the same size and trained with the same loss and batches as the
translator's refiner, from the source alone; for as many steps, or for more (--regression-steps),
since the translator's generator takes time too. Both are scored on the held-out
patients: MAE in Hounsfield units (for MR in shares of the range) over all pixels and within the
head, and SSIM.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from fedscan.client.dataset import SiteDataset
from fedscan.client.settings import DataSettings
from fedscan.model.intensity import model_to_hounsfield
from fedscan.model.marking import stack, strip
from fedscan.model.storage import load_generator, shipped_base
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.settings import PhantomSettings
from fedscan.translation.pairs import Pairs, find_pairs
from fedscan.translation.regression import answer, build_unet, fit
from fedscan.translation.training import TranslatorPlan, train_translator
from fedscan.translation.translator import expected
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

Floats = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=shipped_base())
    parser.add_argument("--to", choices=("CT", "T1", "T2"), default="CT")
    parser.add_argument("--patients", type=int, default=120)
    parser.add_argument("--generator-steps", type=int, default=300)
    parser.add_argument("--refiner-steps", type=int, default=800)
    parser.add_argument(
        "--regression-steps", type=int, help="Steps of the regression; those of the refiner."
    )
    parser.add_argument("--gallery", type=Path, help="PNG of held-out patients to write.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, test = phantom_pairs(options.patients, options.to)
    print(f"{len(train.sources)} pairs to train on, {len(test.sources)} held out")
    plan = TranslatorPlan(
        generator_steps=options.generator_steps, refiner_steps=options.refiner_steps
    )
    started = time.process_time()
    regression = build_unet(1, plan.seed)
    sources = torch.from_numpy(train.sources)[:, None]
    targets = torch.from_numpy(train.targets)[:, None]
    alone = options.regression_steps or plan.refiner_steps
    fit(regression, sources, targets, steps=alone, seed=plan.seed)
    plain = answer(regression, torch.from_numpy(test.sources)[:, None])[:, 0].numpy()
    print(f"regression: {time.process_time() - started:.0f} s")
    started = time.process_time()
    translator = train_translator(load_generator(options.model), train, options.to, plan)
    captions = [shown.caption() for shown in test.descriptions]
    found = translator.translate(test.sources, captions, test.positions)
    print(f"translator: {time.process_time() - started:.0f} s")
    middle = expected(
        translator.generator, torch.from_numpy(test.sources)[:, None], captions, test.positions
    )[:, 0].numpy()
    print("| | MAE | MAE in the head | SSIM |\n|---|---|---|---|")
    rows = {
        "regression U-Net": plain,
        "generator alone": middle,
        "fedscan translate": found,
    }
    for name, images in rows.items():
        print(f"| {name} | {score(images, test.targets, options.to)} |")
    if options.gallery:
        chosen = np.random.default_rng(1).choice(len(test.sources), 6, replace=False)
        shown = {"source": test.sources, "target": test.targets}
        strips = [
            (name, strip(each[chosen], label="phantoms", synthetic=True))
            for name, each in {**shown, **rows}.items()
        ]
        stack(strips).save(options.gallery, optimize=True)


def phantom_pairs(patients: int, target: str) -> tuple[Pairs, Pairs]:
    """Pairs of patients to train on and of others."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = PhantomSettings(patients=(patients,), paired_share=1.0, slices=6, seed=21)
        [site] = write_hospitals(Path(scratch) / "sites", settings)
        opened = SiteDataset.open(site.folder, DataSettings(), Path(scratch) / "cache")
        return (
            find_pairs(map(opened.examples, opened.train_patients), target),
            find_pairs(map(opened.examples, opened.holdout_patients), target),
        )


def score(found: Floats, wanted: Floats, target: str) -> str:
    """Mean absolute errors and SSIM."""
    scale = model_to_hounsfield if target == "CT" else (lambda values: (values + 1) / 2)
    error = np.abs(scale(np.clip(found, -1, 1)) - scale(wanted))
    inside = wanted > -0.9
    alike = np.mean(
        [structural_similarity(a, b, data_range=2.0) for a, b in zip(found, wanted, strict=True)]
    )
    unit = (lambda x: f"{x:.1f} HU") if target == "CT" else (lambda x: f"{x:.4f}")
    return f"{unit(error.mean())} | {unit(error[inside].mean())} | {alike:.3f}"


if __name__ == "__main__":
    main()
