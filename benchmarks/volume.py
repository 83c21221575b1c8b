"""How well the slices of generated volumes agree, beside real ones.

Run: python benchmarks/volume.py [MODEL] [--abdomen FILE] [--volumes 4] [--correlation 0.3 ...]

Two measures between neighbouring slices at the same spacing: SSIM, and edge continuity: the
correlation of their edge maps (Sobel). Generated heads (T1) are compared with phantom heads that
no generator trained on, without noise: the generator's autoencoder makes none. Where a real
abdominal CT is given (an npz with `ct_full_hu`, voxels of 3 mm), generated abdomens are compared
with it, lower and upper half apart to show how much real volumes differ among themselves. The aim
is to be within 10 % of the real ones.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from fedscan.client.position import WHOLE_REGION_MM
from fedscan.client.resample import fitted_size, pad_square, resize_images
from fedscan.model.intensity import hounsfield_to_model, percentile_to_model
from fedscan.model.storage import load_generator, shipped_base
from fedscan.model.volume import VolumeSettings, sample_volume
from fedscan.phantoms.parametric import parametric_volume
from numpy.typing import NDArray
from skimage.filters import sobel
from skimage.metrics import structural_similarity

Floats = NDArray[np.float32]
_STEP_MM = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=shipped_base())
    parser.add_argument("--abdomen", type=Path, help="npz with ct_full_hu, voxels of 3 mm.")
    parser.add_argument("--volumes", type=int, default=4, help="Volumes of each kind.")
    parser.add_argument("--slices", type=int, default=24, help="Slices around the middle.")
    parser.add_argument("--correlation", type=float, nargs="+", default=[0.3])
    parser.add_argument("--guidance", type=float, default=1.5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = load_generator(options.model)
    size = generator.image_size
    real = {
        ("head", "T1-weighted MR"): [
            phantom(seed, size, options.slices) for seed in range(options.volumes)
        ]
    }
    if options.abdomen:
        real["abdomen", "CT"] = abdomen(options.abdomen, size, options.slices)
    print("| Volumes | SSIM of neighbours | edge continuity |\n|---|---|---|")
    for (part, modality), volumes in real.items():
        aim = np.array([agreement(volume) for volume in volumes])
        line = ", ".join(f"{a:.3f} / {b:.3f}" for a, b in aim)
        print(
            f"| {part} {modality}, real: {line} | {aim[:, 0].mean():.3f} | {aim[:, 1].mean():.3f} |"
        )
        for correlation in options.correlation:
            positions = positions_of(part, options.slices)
            found = np.array(
                [
                    agreement(
                        sample_volume(
                            generator,
                            f"axial {modality} slice of the {part}, no finding",
                            positions,
                            VolumeSettings(
                                correlation=correlation,
                                guidance_scale=options.guidance,
                                seed=seed,
                            ),
                        )
                    )
                    for seed in range(options.volumes)
                ]
            ).mean(0)
            off = found / aim.mean(0) - 1
            print(
                f"| generated, correlation {correlation:g} | {found[0]:.3f} ({off[0]:+.1%}) "
                f"| {found[1]:.3f} ({off[1]:+.1%}) |",
                flush=True,
            )


def agreement(volume: Floats) -> tuple[float, float]:
    """Mean SSIM and mean correlation of edges between neighbouring slices ``[S, H, W]``."""
    alike = [structural_similarity(a, b, data_range=2.0) for a, b in pairwise(volume)]
    edges = [sobel(image).ravel() for image in volume]
    along = [np.corrcoef(a, b)[0, 1] for a, b in pairwise(edges)]
    return float(np.mean(alike)), float(np.mean(along))


def positions_of(part: str, slices: int) -> list[float]:
    """Positions of slices around the middle of a body part, at the common spacing."""
    region = WHOLE_REGION_MM[part][0]
    return [0.5 + (index - (slices - 1) / 2) * _STEP_MM / region for index in range(slices)]


def phantom(seed: int, size: int, slices: int) -> Floats:
    """T1-weighted slices of a head without noise, which is alike in no two slices."""
    rng = np.random.default_rng(1000 + seed)
    head = parametric_volume(rng, "head", (96, size, size), finding="no finding")
    at = 47.5 + (np.arange(slices) - (slices - 1) / 2) * _STEP_MM / head.voxel
    return percentile_to_model(head.t1)[np.rint(at).astype(int)]


def abdomen(path: Path, size: int, slices: int) -> list[Floats]:
    """The lower and the upper half of a real CT: neighbouring axial slices of each."""
    with np.load(path) as volumes:
        axial = hounsfield_to_model(volumes["ct_full_hu"]).transpose(2, 1, 0)[:, ::-1]
    shape, _ = fitted_size(axial.shape[1:], (1.0, 1.0), size)
    square = np.asarray(
        pad_square(resize_images(np.ascontiguousarray(axial), shape), size, -1.0), np.float32
    )
    middle = len(square) // 2
    return [square[middle - slices - 4 : middle - 4], square[middle + 4 : middle + 4 + slices]]


if __name__ == "__main__":
    main()
