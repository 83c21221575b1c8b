"""PSNR and SSIM of `fedscan enhance` beside non-local means, BM3D and bicubic enlargement.

Run: python benchmarks/enhance.py [--data FOLDER] [--abdomen FILE] [--films FILE] [--images 16]

White Gaussian noise of known strength is added to held-out images, and taken away again; or
pixels are averaged, and made finer again. The images are never trained on nor tuned with: slices
of the held-out patients of a folder of DICOM (phantom hospitals are written if none is given),
and, where the files are given, axial slices of a real abdominal CT and MR (an npz with
`ct_full_hu` and `mr_sm`) and real chest X-rays (an npz with `images`). Non-local means are
scikit-image's, at the best of four filter strengths for each set and noise, chosen with the clean
images in hand: an advantage that no user has. BM3D is measured if the package `bm3d` is installed
(its licence is for non-commercial use; fedscan never needs it).
"""

from __future__ import annotations

import argparse
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from fedscan.applications.restoration.denoise import denoise
from fedscan.applications.restoration.denoiser import load_denoiser, shipped_denoiser
from fedscan.applications.restoration.network import DenoisingNetwork
from fedscan.applications.restoration.prior import Prior
from fedscan.applications.restoration.super_resolution import shrunk, super_resolve
from fedscan.client.data.dataset import SiteDataset
from fedscan.imaging.examples.resample import fitted_size, pad_square, resize_images
from fedscan.imaging.settings import DataSettings
from fedscan.model.generator import Generator
from fedscan.model.intensity import (
    hounsfield_to_linear,
    hounsfield_to_model,
    linear_to_hounsfield,
    percentile_to_model,
)
from fedscan.model.marking import stack, strip
from fedscan.model.storage import load_generator, shipped_base
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.settings import PhantomSettings
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from skimage.restoration import denoise_nl_means
from torch.nn.functional import interpolate

Floats = NDArray[np.float32]
_NOISE = (0.1, 0.2, 0.4)
_HOUNSFIELD = (20.0, 40.0, 80.0)
_STRENGTHS = (0.6, 0.8, 1.0, 1.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=shipped_base())
    parser.add_argument("--data", type=Path, help="Folder of a site's DICOM files.")
    parser.add_argument("--abdomen", type=Path, help="npz with ct_full_hu and mr_sm.")
    parser.add_argument("--films", type=Path, help="npz with images: chest X-rays, 8 bits.")
    parser.add_argument("--images", type=int, default=16, help="Images of each set.")
    parser.add_argument("--denoiser", type=Path, default=shipped_denoiser())
    parser.add_argument("--gallery", type=Path, help="PNG of the heads to write.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = load_generator(options.model)
    network = load_denoiser(options.denoiser)
    print("| Images | Noise | " + " | ".join(_METHODS) + " | Share of the prior |")
    print("|---" * (len(_METHODS) + 3) + "|")
    sets = held_out(options, generator.image_size)
    for name, (images, caption) in sets.items():
        prior = Prior(generator, caption)
        for noise in _NOISE:
            print(
                f"| {name} ({len(images)}) | {noise} | {row(prior, network, images, noise)} |",
                flush=True,
            )
    if options.gallery:
        draw_gallery(options.gallery, generator, network, sets["heads"][0][:6])
    print("\n| Images | Pixels | bicubic | fedscan |\n|---|---|---|---|")
    for name, (images, caption) in sets.items():
        for factor in (2, 4):
            coarse = shrunk(images, factor)
            large = bicubic(coarse, factor)
            fine = super_resolve(Prior(generator, caption), network, coarse, factor)
            print(f"| {name} | 1/{factor} | {score(large, images)} | {score(fine, images)} |")
    if options.abdomen:
        print("\n| CT in HU, all pixels | " + " | ".join(_METHODS) + " |")
        print("|---" * (len(_METHODS) + 1) + "|")
        for deviation in _HOUNSFIELD:
            print(f"| {deviation} HU | {in_hounsfield(generator, network, options, deviation)} |")


def in_hounsfield(
    generator: Generator, network: DenoisingNetwork, options: argparse.Namespace, deviation: float
) -> str:
    """Root mean square errors in HU of slices of a real CT with noise as a scanner states it."""
    with np.load(options.abdomen) as volumes:
        slices = volumes["ct_full_hu"].transpose(2, 1, 0)[:, ::-1].astype(np.float32)
    clean = slices[np.linspace(1, len(slices) - 2, options.images, dtype=int)]
    noisy = noisy_of(clean, deviation)
    sigma = np.full(noisy.shape, deviation / 1500, np.float32)
    prior = Prior(generator, "axial CT slice of the abdomen", linear=True)
    estimate = denoise(prior, network, hounsfield_to_linear(noisy), sigma).images
    attempts = [means(noisy, deviation, strength) for strength in _STRENGTHS]
    answers = [noisy, min(attempts, key=lambda each: float(np.square(each - clean).mean()))]
    if "BM3D" in _METHODS:
        from bm3d import bm3d

        answers.append(np.stack([bm3d(image, deviation) for image in noisy]))
    answers.append(linear_to_hounsfield(estimate))
    parts = {"all": clean > -9999, "body": np.abs(clean) < 300, "bone": clean > 300}
    return " | ".join(
        ", ".join(
            f"{name} {np.sqrt(np.square(each - clean)[where].mean()):.1f}"
            for name, where in parts.items()
        )
        for each in answers
    )


def draw_gallery(
    path: Path, generator: Generator, network: DenoisingNetwork, clean: Floats
) -> None:
    """Draw the heads clean, noisy, and as each method gives them back."""
    noisy = noisy_of(clean, 0.2)
    sigma = np.full(noisy.shape, 0.2, np.float32)
    estimate = denoise(Prior(generator), network, noisy, sigma).images
    rows = {
        "phantoms": clean,
        "with noise of 0.2 (range 2)": noisy,
        "non-local means": means(noisy, 0.2, 0.8),
        "fedscan enhance": estimate,
        "every second pixel, bicubic": bicubic(shrunk(clean, 2), 2),
        "every second pixel, fedscan enhance --upscale 2": super_resolve(
            Prior(generator), network, shrunk(clean, 2), 2
        ),
    }
    strips = [(name, strip(each, label="", synthetic=True)) for name, each in rows.items()]
    stack(strips).save(path, optimize=True)


def bicubic(coarse: Floats, factor: int) -> Floats:
    """Enlarge images by bicubic interpolation."""
    batch = torch.from_numpy(coarse)[:, None]
    return np.asarray(interpolate(batch, scale_factor=factor, mode="bicubic")[:, 0].numpy())


def noisy_of(clean: Floats, noise: float) -> Floats:
    """Add white noise."""
    rng = np.random.default_rng(round(1000 * noise))
    return clean + np.float32(noise) * rng.standard_normal(clean.shape, np.float32)


def means(noisy: Floats, noise: float, strength: float) -> Floats:
    """Non-local means of each image."""
    return np.stack(
        [
            denoise_nl_means(
                image,
                patch_size=5,
                patch_distance=6,
                h=strength * noise,
                sigma=noise,
                fast_mode=False,
            )
            for image in noisy
        ]
    )


_METHODS = ("noisy", "non-local means", *(("BM3D",) if find_spec("bm3d") else ()), "fedscan")


def row(prior: Prior, network: DenoisingNetwork, clean: Floats, noise: float) -> str:
    """Denoise a set by every method."""
    noisy = noisy_of(clean, noise)
    attempts = [means(noisy, noise, strength) for strength in _STRENGTHS]
    columns = [score(noisy, clean), score(max(attempts, key=lambda each: psnr(each, clean)), clean)]
    if "BM3D" in _METHODS:
        from bm3d import bm3d

        columns.append(score(np.stack([bm3d(image, noise) for image in noisy]), clean))
    result = denoise(prior, network, noisy, np.full(noisy.shape, noise, np.float32))
    return " | ".join([*columns, score(result.images, clean), f"{result.prior_weight:.2f}"])


def psnr(estimate: NDArray[np.floating], clean: Floats) -> float:
    """Mean over images of the peak signal-to-noise ratio in dB; the range is 2."""
    errors = np.square(np.clip(estimate, -1, 1) - clean).mean((1, 2))
    return float(np.mean(10 * np.log10(4.0 / errors)))


def score(estimate: NDArray[np.floating], clean: Floats) -> str:
    """PSNR and SSIM."""
    alike = [
        structural_similarity(one, other, data_range=2.0)
        for one, other in zip(np.clip(estimate, -1, 1), clean, strict=True)
    ]
    return f"{psnr(estimate, clean):.2f} dB, {np.mean(alike):.3f}"


def held_out(options: argparse.Namespace, size: int) -> dict[str, tuple[Floats, str]]:
    """Images ``[N, size, size]`` in [-1, 1] and their common caption, by name."""
    sets = {"heads": (slices_of(options.data, size, options.images), "")}
    if options.abdomen:
        with np.load(options.abdomen) as volumes:
            ct = hounsfield_to_model(volumes["ct_full_hu"])
            mr = percentile_to_model(volumes["mr_sm"])
        for name, volume, modality in (("abdomen CT", ct, "CT"), ("abdomen MR", mr, "MR")):
            # Stored as right-to-left, back-to-front: turned as a radiologist reads them.
            axial = np.ascontiguousarray(volume.transpose(2, 1, 0)[:, ::-1])
            selection = axial[
                np.linspace(1, len(axial) - 2, min(options.images, len(axial) - 2), dtype=int)
            ]
            shape, _ = fitted_size(selection.shape[1:], (1.0, 1.0), size)
            square = pad_square(resize_images(selection, shape), size, -1.0)
            sets[name] = np.asarray(square, np.float32), f"axial {modality} slice of the abdomen"
    if options.films:
        with np.load(options.films) as films:
            every = films["images"]
        selection = np.random.default_rng(0).choice(len(every), options.images, replace=False)
        sets["chest X-rays"] = (
            resize_images((every[selection] / 127.5 - 1).astype(np.float32), (size, size)),
            "chest X-ray",
        )
    return sets


def slices_of(folder: Path | None, size: int, count: int) -> Floats:
    """One random slice of each of a site's held-out patients."""
    with tempfile.TemporaryDirectory() as scratch:
        if folder is None:
            patients = PhantomSettings(patients=(count,), paired_share=0.0, seed=11, slices=6)
            folder = write_hospitals(Path(scratch) / "hospitals", patients)[0].folder
            settings = DataSettings(image_size=size, holdout_fraction=0.99)
        else:
            settings = DataSettings(image_size=size)
        site = SiteDataset.open(folder, settings, Path(scratch) / "cache")
        rng = np.random.default_rng(0)
        keys = rng.permutation(site.holdout_patients)[:count]
        examples = [site.examples(key) for key in keys]
        return np.stack([one[rng.integers(len(one))].image for one in examples])


if __name__ == "__main__":
    main()
