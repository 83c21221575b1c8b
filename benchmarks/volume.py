"""How well the slices of generated volumes agree, beside real ones.

Run: python benchmarks/volume.py [MODEL] [--abdomen FILE] [--volumes 3] [--gallery FILE]

Between neighbouring slices 3 mm apart: SSIM, and edge continuity, the correlation of their edge
maps (Sobel). The aim is to be within 10 % of the real ones. Of the cuts across: their roughness,
the mean second difference from slice to slice over that within slices; about 1 where nothing
tells one direction from another, more where outlines are jagged, less where all is drawn out to
columns. Generated heads are compared with made-up heads that no generator trained on, without
noise: the generator's autoencoder makes none. Where a real abdominal CT is given (an npz with
`ct_full_hu`, voxels of 3 mm), generated abdomens are compared with it, lower and upper half apart
to show how much real volumes differ among themselves.

With --complete, volumes are completed instead: of made-up heads and of the real abdomen every fifth
slice is given, and the rest is compared with what it is (PSNR, SSIM), beside linear interpolation.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from fedscan.imaging.examples.resample import fitted_size, pad_square, resize_images
from fedscan.imaging.writing.views import orthogonal_views
from fedscan.model.description import Description
from fedscan.model.generator import Generator
from fedscan.model.intensity import hounsfield_to_model, percentile_to_model
from fedscan.model.marking import stack
from fedscan.model.region import FIELD_OF_VIEW_MM, extent_mm, pixel_mm
from fedscan.model.storage import load_generator, shipped_base
from fedscan.model.volumes.draw import VolumeSettings, sample_volume
from fedscan.model.volumes.interpolate import interpolate_slices
from fedscan.phantoms.parametric import parametric_volume
from numpy.typing import NDArray
from PIL import Image
from scipy.interpolate import interp1d
from skimage.filters import sobel
from skimage.metrics import structural_similarity

Floats = NDArray[np.float32]
_STEP_MM = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=shipped_base())
    parser.add_argument("--abdomen", type=Path, help="npz with ct_full_hu, voxels of 3 mm.")
    parser.add_argument("--volumes", type=int, default=3, help="Volumes of each kind.")
    parser.add_argument("--slices", type=int, default=24, help="Slices around the middle.")
    parser.add_argument("--modality", nargs="*", default=["T1-weighted MR", "CT"])
    parser.add_argument("--correlation", type=float, nargs="+", default=[0.06])
    parser.add_argument("--guidance", type=float, default=1.5)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1000, help="Of the first volume.")
    parser.add_argument("--complete", action="store_true", help="Complete volumes instead.")
    parser.add_argument("--gallery", type=Path, help="PNG of three views of a volume of each kind.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = load_generator(options.model)
    if options.complete:
        complete(generator, options)
        return
    size = generator.image_size
    seeds = range(options.seed, options.seed + options.volumes)
    real = {
        ("head", modality): [phantom(seed, size, modality) for seed in seeds]
        for modality in options.modality
    }
    if options.abdomen:
        real["abdomen", "CT"] = abdomen(options.abdomen, size, options.slices)
    print("| Volumes | SSIM of neighbours | edge continuity | roughness |\n|---|---|---|---|")
    views = []
    for (part, modality), volumes in real.items():
        aim = np.array([agreement(middle(each, options.slices)) for each in volumes])
        line = ", ".join(" / ".join(f"{value:.3f}" for value in each) for each in aim)
        means = " | ".join(f"{each:.3f}" for each in aim.mean(0))
        print(f"| {part} {modality}, real: {line} | {means} |")
        description = Description(
            modality=modality, body_part=part, plane="axial", finding="no finding"
        )
        for correlation in options.correlation:
            variants = [
                VolumeSettings(
                    correlation=correlation,
                    guidance_scale=options.guidance,
                    steps=options.steps,
                    seed=seed,
                )
                for seed in seeds
            ]
            where = positions_of(part)
            drawings = [sample_volume(generator, description, where, each) for each in variants]
            curves = np.array([agreement(middle(each, options.slices)) for each in drawings]).mean(
                0
            )
            off = curves / aim.mean(0) - 1
            cells = " | ".join(f"{a:.3f} ({b:+.1%})" for a, b in zip(curves, off, strict=True))
            print(f"| generated, correlation {correlation:g} | {cells} |", flush=True)
            label = f"{description.caption()}, seeds {seeds.start} to {seeds.stop - 1}"
            views += [
                (label if not number else "", three_views(each, part))
                for number, each in enumerate(drawings)
            ]
    if options.gallery:
        stack(views).save(options.gallery, optimize=True)


def complete(generator: Generator, options: argparse.Namespace) -> None:
    """Give every fifth slice of made-up heads and of a real abdomen, and compare the rest."""
    print("| Completed | fedscan volume --given | without the generator | linear interpolation |")
    print("|---|---|---|---|")
    seeds = range(options.seed, options.seed + options.volumes)
    cases = [("head", modality, seed) for modality in options.modality for seed in seeds]
    if options.abdomen:
        cases.append(("abdomen", "CT", options.seed))
    for part, modality, seed in cases:
        where = positions_of(part)
        if part == "head":
            patient = phantom(seed, generator.image_size, modality)[: len(where)]
        else:
            patient = middle(axial_abdomen(options.abdomen, generator.image_size), len(where))
        anchors = list(range(2, len(patient), 5))
        description = Description(
            modality=modality, body_part=part, plane="axial", finding="no finding"
        )
        volume = sample_volume(
            generator,
            description,
            where[: len(patient)],
            VolumeSettings(seed=seed, steps=options.steps, guidance_scale=options.guidance),
            given_slices={where[index]: patient[index] for index in anchors},
        )
        gaps = [index for index in range(2, anchors[-1]) if index not in anchors]
        interpolation = interpolate_slices(patient[anchors], anchors, gaps)
        line = interp1d(anchors, patient[anchors], axis=0)(gaps)
        scores = [likeness(each, patient[gaps]) for each in (volume[gaps], interpolation, line)]
        cells = [f"{psnr:.2f} dB, {ssim:.3f}" for psnr, ssim in scores]
        print(f"| {part}, {modality}, {seed} | {' | '.join(cells)} |", flush=True)


def likeness(estimate: Floats, truth: Floats) -> tuple[float, float]:
    """PSNR in dB, the range being 2, and SSIM, means over slices."""
    errors = np.square(estimate - truth).mean((1, 2))
    alike = [
        structural_similarity(a, b, data_range=2.0) for a, b in zip(estimate, truth, strict=True)
    ]
    return float(np.mean(10 * np.log10(4 / errors))), float(np.mean(alike))


def three_views(volume: Floats, part: str) -> Image.Image:
    """Draw the middle slice and two cuts across."""
    pixel = pixel_mm(part, volume.shape[2])
    return orthogonal_views(volume, pixel, _STEP_MM, label="generated")


def middle(volume: Floats, slices: int) -> Floats:
    """The middle slices of a volume."""
    first = max(0, (len(volume) - slices) // 2)
    return volume[first : first + slices]


def agreement(volume: Floats) -> tuple[float, float, float]:
    """Mean SSIM and edge correlation of neighbouring slices ``[S, H, W]``, and roughness."""
    alike = [structural_similarity(a, b, data_range=2.0) for a, b in pairwise(volume)]
    edges = [sobel(image).ravel() for image in volume]
    along = [np.corrcoef(a, b)[0, 1] for a, b in pairwise(edges)]
    across, down, right = (np.abs(np.diff(volume, 2, axis=axis)).mean() for axis in range(3))
    rough = across / ((down + right) / 2)
    return float(np.mean(alike)), float(np.mean(along)), float(rough)


def positions_of(part: str) -> list[float]:
    """Positions of a whole region's slices at the common spacing."""
    region = extent_mm(part, "axial")
    slices = int(region // _STEP_MM)
    return [0.5 + (index - (slices - 1) / 2) * _STEP_MM / region for index in range(slices)]


def phantom(seed: int, size: int, modality: str) -> Floats:
    """Slices of a head without noise, which is alike in no two slices; voxels of some 3 mm."""
    head = parametric_volume(np.random.default_rng(seed), "head", finding="no finding")
    pictures = {
        "CT": lambda: hounsfield_to_model(head.ct),
        "T1-weighted MR": lambda: percentile_to_model(head.t1),
        "T2-weighted MR": lambda: percentile_to_model(head.t2),
    }[modality]()
    side = round(FIELD_OF_VIEW_MM["head"] / head.voxel)
    margin = max(0, side - pictures.shape[1])
    before = margin // 2
    wide = np.pad(pictures, ((0, 0), *[(before, margin - before)] * 2), constant_values=-1.0)
    body = np.flatnonzero((head.labels > 0).any((1, 2)))
    inside = wide[body[0] : body[-1] + 1].astype(np.float32)
    return np.asarray(resize_images(inside, (size, size)), np.float32)


def abdomen(path: Path, size: int, slices: int) -> list[Floats]:
    """The lower and the upper half of a real CT: neighbouring axial slices of each."""
    square = axial_abdomen(path, size)
    middle = len(square) // 2
    return [square[middle - slices - 4 : middle - 4], square[middle + 4 : middle + 4 + slices]]


def axial_abdomen(path: Path, size: int) -> Floats:
    """All axial slices of a real CT."""
    with np.load(path) as volumes:
        axial = hounsfield_to_model(volumes["ct_full_hu"]).transpose(2, 1, 0)[:, ::-1]
    shape, _ = fitted_size(axial.shape[1:], (1.0, 1.0), size)
    return np.asarray(
        pad_square(resize_images(np.ascontiguousarray(axial), shape), size, -1.0), np.float32
    )


if __name__ == "__main__":
    main()
