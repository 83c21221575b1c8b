"""Guessing who was trained on: how well a generator knows an image, and how surely that tells.

Two attacks that need the generator's weights, as whoever receives it has them:

- loss: the denoising loss at fixed timesteps and noises is lower for images trained on (Matsumoto
  et al. 2023, arXiv 2302.03262; Carlini et al. 2023, arXiv 2301.13188);
- trajectory: an image is led along the deterministic flow towards noise, and each step is gone
  back: the way back errs less for images trained on (SecMI: Duan et al. 2023, arXiv 2302.01316).

Both look twice: with the caption and position alone, and with the image's edges, and its mask where
there is one, shown too. A study may train nothing but what reads these, and its trace is then in
nothing else.

Some images are easy for any generator. With a reference that was not trained on these patients,
its errors are subtracted (difficulty calibration: Watson et al. 2021, arXiv 2111.08440).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...model.condition_sampling import edge_map
from ...model.conditions import spatial_conditions
from ...model.example import LatentRows
from ...model.generator import Generator
from ...model.objective import diffusion_loss, num_train_timesteps
from ..halves import first_half
from ..measures.bootstrap import interval, patient_weights, weighted_auc
from ..measures.image_sets import ImageSet
from ..measures.results import Interval

#: Part of the noise schedule at which the loss tells most: little noise hides no image, and
#: much hides every one.
_LOSS_RANGE = (0.05, 0.5)
#: Part of the schedule that a trajectory goes through.
_TRAJECTORY_RANGE = (0.02, 0.3)
_BATCH = 64
#: Share of an error below which a difference is rounding.
_ROUNDING = float(np.finfo(np.float32).eps)
#: Chance of a perfect attack by luck above which nothing can be told: one side of 95 %.
_LUCK = 0.025
#: Non-members of whom at most this share may be taken for members.
FALSE_POSITIVES = 0.01
#: Non-members on whom a threshold can be chosen: above fewer than these it lets too many through.
_FEWEST = 10


def encode_rows(generator: Generator, images: ImageSet) -> Iterator[tuple[LatentRows, LatentRows]]:
    """Encode images in batches, each without and with the spatial conditions that they allow."""
    for start in range(0, len(images), _BATCH):
        part = images.select(np.arange(start, min(start + _BATCH, len(images))))
        spatial = [
            spatial_conditions(
                (image.shape[0], image.shape[1]),
                mask=part.masks[number] if part.masks else None,
                edges=edge_map(image),
            )
            for number, image in enumerate(part.images)
        ]
        bare = LatentRows(
            latents=generator.encode(torch.from_numpy(part.images)[:, None]),
            text=generator.embed([description.caption() for description in part.descriptions]),
            position=torch.from_numpy(part.positions).to(generator.device),
        )
        conditions = torch.from_numpy(np.stack(spatial)).to(generator.device)
        yield bare, replace(bare, spatial=conditions)


def less_reference(
    errors: NDArray[np.float64], reference: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return errors less those of a reference; what is within rounding is no difference.

    Args:
        errors: Of the generator attacked, ``[N]``.
        reference: Of a generator that was not trained on these patients, ``[N]``.

    Returns:
        ``[N]``.
    """
    difference = errors - reference
    return np.where(np.abs(difference) <= _ROUNDING * np.abs(reference), 0.0, difference)


@torch.no_grad()
def loss_errors(
    generator: Generator, images: ImageSet, *, timesteps: int, noises: int, seed: int
) -> NDArray[np.float64]:
    """Return each image's mean denoising loss, without and with conditions, at the same noises.

    Args:
        generator: The generator attacked.
        images: Images, ``N`` of them.
        timesteps: Number of timesteps.
        noises: Noises at each of them.
        seed: Seed of the noises.

    Returns:
        ``[N]``.
    """
    low, high = _LOSS_RANGE
    noise_times = np.linspace(low, high, timesteps) * num_train_timesteps(generator)
    errors = []
    for ways in encode_rows(generator, images):
        bare = ways[0]
        total = torch.zeros(len(bare), dtype=torch.float64)
        source = torch.Generator().manual_seed(seed)
        for timestep in noise_times.astype(int).tolist():
            for _ in range(noises):
                noise = torch.randn(generator.latent_shape, generator=source)
                times = torch.full((len(bare),), timestep, device=generator.device)
                draws = noise.to(generator.device).expand_as(bare.latents)
                for rows in ways:
                    total += diffusion_loss(generator, rows, times, draws).double().cpu()
        errors.append(total / (timesteps * noises * len(ways)))
    return torch.cat(errors).numpy()


@torch.no_grad()
def trajectory_errors(generator: Generator, images: ImageSet, *, steps: int) -> NDArray[np.float64]:
    """Return each image's mean error of going a step of its trajectory there and back.

    Each image is led twice, without and with conditions.

    Args:
        generator: The generator attacked.
        images: Images, ``N`` of them.
        steps: Steps of the trajectory.

    Returns:
        ``[N]``: mean squared errors.
    """
    low, high = _TRAJECTORY_RANGE
    times = np.linspace(low, high, steps + 1) * num_train_timesteps(generator)
    stops = times.astype(int).tolist()
    errors = []
    for ways in encode_rows(generator, images):
        total = torch.stack([_there_and_back(generator, rows, stops) for rows in ways]).sum(0)
        errors.append(total / (steps * len(ways)))
    return torch.cat(errors).numpy()


def _there_and_back(generator: Generator, rows: LatentRows, stops: list[int]) -> Tensor:
    """Return each row's summed error over the steps of a trajectory, float64 ``[B]``."""
    total = torch.zeros(len(rows), dtype=torch.float64)
    # The first step starts at the image itself, as if it had the first stop's noise level.
    here = rows.latents
    image, noise = _predict(generator, rows, here, stops[0])
    for now, then in itertools.pairwise(stops):
        there = _mix(generator, image, noise, then)
        image, noise = _predict(generator, rows, there, then)
        back = _mix(generator, image, noise, now)
        total += (back - here).square().flatten(1).mean(1).double().cpu()
        here = there
    return total


def _predict(
    generator: Generator, rows: LatentRows, noisy: Tensor, timestep: int
) -> tuple[Tensor, Tensor]:
    """Return the image and the noise that the generator sees in noisy latents."""
    scheduler = generator.scheduler
    share = float(scheduler.alphas_cumprod[timestep])
    signal, spread = share**0.5, (1 - share) ** 0.5
    times = torch.full((len(rows),), timestep, device=generator.device)
    prediction = generator.denoise(noisy, times, rows.text, rows.position, rows.spatial)
    if scheduler.config.prediction_type == "v_prediction":
        return signal * noisy - spread * prediction, spread * noisy + signal * prediction
    return (noisy - spread * prediction) / signal, prediction


def _mix(generator: Generator, image: Tensor, noise: Tensor, timestep: int) -> Tensor:
    share = float(generator.scheduler.alphas_cumprod[timestep])
    return share**0.5 * image + (1 - share) ** 0.5 * noise


@dataclass(frozen=True, kw_only=True)
class Guessing:
    """How surely an attack tells members from others; its unit is the patient.

    Attributes:
        auc: Chance that a member looks more like one than a non-member does; 0.5 is a guess.
        true_positives: Share of members above the threshold.
        false_positives: Share of the reporting half of the non-members above it.
        threshold_patients: Non-members that the threshold was chosen on.
        members: Patients who were trained on.
        others: Patients who were not.
        silent: Why the attack could have shown nothing, however much is remembered; empty where
            it could have.
    """

    auc: Interval
    true_positives: Interval
    false_positives: float
    threshold_patients: int
    members: int
    others: int
    silent: str = ""

    @property
    def has_threshold(self) -> bool:
        """Whether enough non-members were there to choose a threshold on."""
        return self.threshold_patients >= _FEWEST


def guess(
    member_errors: NDArray[np.float64],
    members: tuple[str, ...],
    other_errors: NDArray[np.float64],
    others: tuple[str, ...],
    *,
    resamples: int,
    seed: int,
) -> Guessing:
    """Judge an attack by the errors of images.

    The threshold lets through at most 1 % of one half of the non-members, and is reported on
    the members and on the other half.

    Args:
        member_errors: Of images trained on, ``[N]``; small ones look like members.
        members: Their patients.
        other_errors: Of held-out images, ``[M]``.
        others: Their patients.
        resamples: Bootstrap resamples of the patients.
        seed: Seed of halves and resamples.
    """
    inside, _ = _by_patient(-member_errors, members)
    outside, keys = _by_patient(-other_errors, others)
    scores = np.concatenate([inside, outside])
    member = np.arange(len(scores)) < len(inside)
    # Each group is resampled by itself: its size is part of the design.
    weights = np.hstack(
        [
            patient_weights([str(i) for i in range(count)], resamples=resamples, seed=seed + shift)
            for shift, count in enumerate((len(inside), len(outside)))
        ]
    )
    calibration = first_half(keys, seed)
    threshold = _threshold(outside[calibration])
    above = (inside > threshold).astype(np.float64)
    return Guessing(
        auc=interval(weighted_auc(scores, member, weights)),
        true_positives=interval(weights[:, : len(inside)] @ above / len(inside)),
        false_positives=float((outside[~calibration] > threshold).mean()),
        threshold_patients=int(calibration.sum()),
        members=len(inside),
        others=len(outside),
        silent=_silence(scores, len(inside)),
    )


def _silence(scores: NDArray[np.float64], members: int) -> str:
    if np.ptp(scores) == 0:
        return "its errors tell no patient from another: they are all as large as before training"
    # Members who all look more like members than anybody else do so by luck in one of these.
    if 1 / math.comb(len(scores), members) > _LUCK:
        return (
            f"with {members} patients trained on and {len(scores) - members} held out even a "
            "perfect attack could be luck"
        )
    return ""


def _threshold(outside: NDArray[np.float64]) -> float:
    """The least score that at most 1 % of these exceed: the largest of fewer than 100."""
    errors = int(FALSE_POSITIVES * len(outside))
    return float(np.sort(outside)[len(outside) - 1 - errors])


def _by_patient(
    scores: NDArray[np.float64], patients: tuple[str, ...]
) -> tuple[NDArray[np.float64], list[str]]:
    keys, owner = np.unique(np.array(patients), return_inverse=True)
    return np.bincount(owner, scores) / np.bincount(owner), keys.tolist()
