"""What a base is worth beside real images that it never saw, and beside another base.

Run: python benchmarks/base.py [BASE …] --held-out FOLDER … [--trained-on FOLDER …] [--out OUT]

A folder is read as `fedscan pretrain --data` reads it: DICOM files, or pictures with metadata.csv.
Its patients are split in two halves. One half is the reference; the other one, real too, says what
is possible. Each base draws the captions and positions of that other half, as many images. For
each folder and base are printed:

- Fréchet and kernel distance to the reference, with the features that the evaluation uses;
- the AUC at which a small network, which learnt on other images, tells synthetic from real ones;
- how well the autoencoder rebuilds real images: PSNR, SSIM, and the distance of rebuilt to real;
- images per second of the processor.

With --trained-on, the images that lie nearest to an image of these folders are drawn beside it
into OUT, and their distances compared with those of real ones: a base is no archive.

Images of a base with fewer pixels are enlarged. A line is printed as soon as it is known.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from fedscan.evaluation.measures.classifier import predict, train_classifier
from fedscan.evaluation.measures.distances import frechet_distance, kernel_distance
from fedscan.evaluation.measures.features import Extractor, load_extractor
from fedscan.evaluation.measures.image_sets import ImageSet
from fedscan.evaluation.measures.memorisation import compare, nearest, pixel_vectors
from fedscan.model.generator import Generator
from fedscan.model.marking import png_text, stack, strip
from fedscan.model.sampling import sample
from fedscan.model.storage import load_generator, shipped_base
from fedscan.model.words.tables import shipped_words
from fedscan.simulation.pretraining.source import PublicSource
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn.metrics import roc_auc_score
from torch.nn import functional

Images = NDArray[np.float32]

_CLASSIFIER_STEPS = 300
_CLASSIFIERS = 2
_BATCH = 32
#: Samples that are shown beside what lies nearest to them, and how many in a row.
_SHOWN, _ROW = 64, 8


@dataclass(frozen=True, kw_only=True)
class Halves:
    """Real images of one folder, split by patient."""

    name: str
    reference: ImageSet
    other: ImageSet


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bases", nargs="*", type=Path, default=[shipped_base()])
    parser.add_argument("--held-out", action="append", type=Path, required=True)
    parser.add_argument("--trained-on", action="append", type=Path, default=[])
    parser.add_argument("--out", type=Path, default=Path("base-measured"))
    parser.add_argument("--size", type=int, default=128, help="pixels that images are compared at")
    parser.add_argument("--rebuilt-size", type=int, action="append", help="also rebuilt at")
    parser.add_argument(
        "--channels", type=int, action="append", help="also rebuilt from a latent's first channels"
    )
    parser.add_argument("--images", type=int, default=256, help="of each half at most")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--guidance", type=float, default=1.5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    extractor, results = load_extractor(""), []
    training_sets = [read(folder, options.size) for folder in options.trained_on]
    for folder in options.held_out:
        halves = split(folder, options.size, options.images)
        tell(results, real_row(halves, extractor))
        sizes = options.rebuilt_size or [options.size]
        real_images = {size: split(folder, size, options.images).other.images for size in sizes}
        for base in options.bases:
            generator = load_generator(base)
            is_small = generator.image_size < options.size
            for size, real in real_images.items():
                own = generator.image_size if is_small else size
                for channels in (*(options.channels or ()), None):
                    row = rebuilt_row(generator, real, own, channels, extractor)
                    title = f"rebuilt by {base.name} at {size} from {channels or 'all'} channels"
                    tell(results, {"folder": halves.name, "images": title, **row})
            images, seconds = drawn(generator, halves.other, options)
            tell(results, drawn_row(base, images, seconds, halves, extractor))
            if training_sets:
                title = f"{base.name}-{halves.name}"
                tell(
                    results,
                    nearest_row(title, images, halves, training_sets, extractor, options.out),
                )
    (options.out / "base.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def tell(results: list[dict[str, object]], row: dict[str, object]) -> None:
    """Keep and print a row."""
    results.append(row)
    facts = ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in row.items()
    )
    print(facts, flush=True)


def read(folder: Path, size: int) -> ImageSet:
    """Read all images of a folder."""
    public = PublicSource(folder=folder).open(shipped_words(), size).read()
    examples, patients = public.examples, public.patients
    order = sorted(range(len(examples)), key=lambda index: patients[index])
    return ImageSet.of((patients[index], examples[index]) for index in order)


def split(folder: Path, size: int, limit: int) -> Halves:
    """Read a folder and split its patients in two; both halves have as many images."""
    images = read(folder, size)
    patients = sorted(set(images.patients))
    np.random.default_rng(0).shuffle(patients)
    first = set(patients[: len(patients) // 2])
    halves = [
        images.select([i for i, patient in enumerate(images.patients) if (patient in first) == is_])
        for is_ in (True, False)
    ]
    count = min(limit, *(len(half) for half in halves))
    reference, other = (half.thin(count, seed=0) for half in halves)
    return Halves(name=folder.name, reference=reference, other=other)


def drawn(
    generator: Generator, like: ImageSet, options: argparse.Namespace
) -> tuple[Images, float]:
    """Draw an image for each real one's caption and position; also the processor's seconds."""
    begin = time.process_time()
    images = sample(
        generator,
        [description.caption() for description in like.descriptions],
        positions=like.positions.tolist(),
        guidance_scale=options.guidance,
        steps=options.steps,
        batch_size=_BATCH,
    )
    return resized(images, options.size), time.process_time() - begin


def resized(images: Images, size: int) -> Images:
    """Bring images ``[N, H, W]`` to a side."""
    if images.shape[-1] == size:
        return images
    batch = torch.from_numpy(images)[:, None]
    scaled_images = functional.interpolate(batch, size=size, mode="bilinear", antialias=True)
    return scaled_images[:, 0].numpy()


def distances(reference: Images, others: Images, extractor: Extractor) -> dict[str, float]:
    """Fréchet and kernel distance of as many images on either side."""
    one, two = (extractor.features(images) for images in (reference, others))
    kernel, deviation = kernel_distance(one, two, seed=0)
    return {"frechet": frechet_distance(one, two), "kernel": kernel, "kernel_sd": deviation}


def real_row(halves: Halves, extractor: Extractor) -> dict[str, object]:
    """What other real images reach."""
    return {
        "folder": halves.name,
        "images": f"the other half, {len(halves.other)} images",
        **distances(halves.reference.images, halves.other.images, extractor),
    }


def drawn_row(
    base: Path, images: Images, seconds: float, halves: Halves, extractor: Extractor
) -> dict[str, object]:
    """What a base's images reach."""
    return {
        "folder": halves.name,
        "images": f"drawn by {base.name}",
        **distances(halves.reference.images, images, extractor),
        "told_apart_auc": told_apart(images, halves),
        "images_per_second": len(images) / seconds,
    }


def told_apart(images: Images, halves: Halves) -> float:
    """AUC of telling synthetic from real, of networks that learnt on other patients."""
    half = len(images) // 2
    real = halves.reference.images
    training_images = np.concatenate([real, images[:half]])
    labels = np.repeat(np.array([0, 1]), [len(real), half])
    questions = np.concatenate([halves.other.images, images[half:]])
    answers = [
        predict(
            train_classifier(
                training_images, labels, classes=2, steps=_CLASSIFIER_STEPS, seed=seed
            ),
            questions,
        )[:, 1]
        for seed in range(_CLASSIFIERS)
    ]
    truth = np.repeat(np.array([0, 1]), [len(halves.other), len(images) - half])
    return float(roc_auc_score(truth, np.mean(answers, axis=0)))


def rebuilt_row(
    generator: Generator, real: Images, own: int, channels: int | None, extractor: Extractor
) -> dict[str, object]:
    """How well the autoencoder rebuilds real images; one for few pixels after shrinking them.

    The channels of a latent after the first few count as zero, which is their mean.
    """
    parts = []
    for batch in torch.from_numpy(resized(real, own)).split(_BATCH):
        parts.append(generator.rebuild(batch[:, None], channels)[:, 0])
    rebuilt_images = resized(torch.cat(parts).numpy(), real.shape[-1])
    pairs = list(zip(real, rebuilt_images, strict=True))
    return {
        "psnr": float(np.mean([peak_signal_noise_ratio(*pair, data_range=2.0) for pair in pairs])),
        "ssim": float(np.mean([structural_similarity(*pair, data_range=2.0) for pair in pairs])),
        **distances(real, rebuilt_images, extractor),
    }


def nearest_row(
    title: str,
    images: Images,
    halves: Halves,
    training_sets: list[ImageSet],
    extractor: Extractor,
    out: Path,
) -> dict[str, object]:
    """How near samples are to training images, beside how near real ones are; with a picture."""
    training_images = np.concatenate([one.images for one in training_sets])
    kinds = {"feature": extractor.features, "pixel": pixel_vectors}
    distances_to = {}
    for kind, vectors in kinds.items():
        training_vectors = vectors(training_images)
        distances_to[kind] = nearest(vectors(images), training_vectors)
        distances_to[f"{kind}_holdout"] = nearest(vectors(halves.other.images), training_vectors)
    comparison = compare(**distances_to, searched=len(training_images))
    neighbours = training_images[distances_to["feature"].indices[:_SHOWN].numpy()]
    strips = list(pairs_of(images[:_SHOWN], neighbours))
    picture = out / f"nearest-{title}.png"
    stack(strips).save(picture, pnginfo=png_text({}, synthetic=False))
    return {
        "folder": halves.name,
        "images": f"nearest of {len(training_images)} to {title}",
        "feature_ratio": comparison.feature_ratio,
        "pixel_ratio": comparison.pixel_ratio,
        "feature_close_share": comparison.feature_close_share,
        "pixel_close_share": comparison.pixel_close_share,
        "picture": str(picture),
    }


def pairs_of(images: Images, neighbours: Images) -> Iterator[tuple[str, object]]:
    """Rows of samples, and below each row what lies nearest to them."""
    for start in range(0, len(images), _ROW):
        for label, row, is_made in (("sample", images, True), ("nearest", neighbours, False)):
            yield label, strip(row[start : start + _ROW], label=label, synthetic=is_made)


if __name__ == "__main__":
    main()
