"""The batches of the denoiser's training: which images, with which conditions, how noisy."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..condition_sampling import CAPTION_DROPOUT, SPATIAL_SHARE, random_spatial_conditions
from ..conditions import LABEL
from ..example import LatentRows
from ..generator import Generator
from ..objective import diffusion_loss
from .examples import ExampleBank
from .precision import mixed_precision
from .timesteps import central_timesteps

#: Images of one step, at the generator's own size. With 32 the optimizer's own work is 43 % of the
#: time (docs/results.md).
BATCH = 64
#: Share of the steps whose images are twice as large, where the bank holds such.
_LARGE_SHARE = 0.15
#: How much a cell that a lesion touches counts, against 1, and how often an image with a small
#: lesion is drawn. In a head it fills three cells of a hundred, and one image in sixteen shows such
#: a head: a network that never drew one would hardly lose by it.
_LESION_WEIGHT = 4.0
_SMALL_LESION_CHANCE = 4.0
#: Share of an image's cells that a small lesion touches at most.
_SMALL_LESION_SHARE = 1 / 16
#: How often an image with a small lesion shows spatial conditions.
_SMALL_LESION_SPATIAL_SHARE = 0.7
#: Cuts of each image without a mask, and the least share of its side that they keep. Some sources
#: are few: 86 films in always the same places would be learnt by heart before anatomy is.
_CUTS = 6
_LEAST_CUT = 0.9
#: Images put aside to choose the average by; never more than a tenth of all.
_JUDGED = 256


class Batches:
    """The batches of every step, and the images that averages are judged by.

    Where the bank's images are twice as large as the generator's own, most steps see them at the
    generator's size and the others as they are, a quarter as many at once: the same weights then
    draw both.

    Args:
        generator: What is trained; its autoencoder encodes the images.
        bank: Images of the generator's size, or twice as large.
        seed: Seed of every draw. A step's draws come from it and the step's number alone.
        rank: Number of the process among those that train together.
    """

    def __init__(self, generator: Generator, bank: ExampleBank, seed: int, rank: int) -> None:
        self._generator, self._seed, self._rank = generator, seed, rank
        if bank.size == generator.image_size:
            self._sizes = [_OneSize(generator, bank, seed)]
        else:
            self._sizes = [
                _OneSize(generator, bank.halved(), seed),
                _OneSize(generator, bank, seed),
            ]
        chances = np.where(self._sizes[0].small, _SMALL_LESION_CHANCE, 1.0) * bank.chances
        order = np.random.default_rng(seed).permutation(len(bank))
        self._held_out = np.sort(order[: min(_JUDGED, len(bank) // 10)])
        chances[self._held_out] = 0.0
        self._chances = chances / chances.sum()

    def losses(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the losses of a step's images, ``[B]``, and their timesteps."""
        rng = np.random.default_rng((self._seed, self._rank, step))
        size, count = self._sizes[0], BATCH
        if len(self._sizes) > 1 and rng.random() < _LARGE_SHARE:
            size, count = self._sizes[1], BATCH // 4
        indices = rng.choice(len(self._chances), size=count, p=self._chances)
        return self._losses(size, indices, rng)

    @torch.no_grad()
    def judge(self) -> float:
        """Return the mean loss over the images put aside; of all drawn ones without any."""
        rng = np.random.default_rng((self._seed, 0))
        some = np.arange(min(len(self._chances), _JUDGED))
        indices = self._held_out if len(self._held_out) else some
        parts = [
            self._losses(self._sizes[0], indices[start : start + BATCH], rng)[0]
            for start in range(0, len(indices), BATCH)
        ]
        return float(torch.cat(parts).mean())

    def _losses(
        self, size: _OneSize, indices: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        generator = self._generator
        rows = size.rows(indices, rng)
        draws = torch.Generator().manual_seed(int(rng.integers(2**63)))
        # Twice the size, four pixels tell what one told: the same structure needs more noise to
        # be hidden (Hoogeboom et al., simple diffusion, arXiv 2301.11093).
        shift = -2.0 * math.log(size.bank.size / generator.image_size)
        timesteps = central_timesteps(generator, len(rows), draws, shift=shift)
        noise = torch.randn(rows.latents.shape, generator=draws)
        with mixed_precision(generator):
            losses = diffusion_loss(
                generator,
                rows.to(generator.device),
                timesteps.to(generator.device),
                noise.to(generator.device),
                size.weights[torch.from_numpy(indices)].to(generator.device),
            )
        return losses, timesteps


class _OneSize:
    """All images at one size: their latents, what counts in them, and their conditions."""

    def __init__(self, generator: Generator, bank: ExampleBank, seed: int) -> None:
        self._generator, self.bank, self._seed = generator, bank, seed
        #: Cuts of each image; where a mask says where things are, the image as it is.
        self._cuts = _CUTS if bank.size == generator.image_size else 1
        self._has_mask = np.asarray(bank.masks.any((1, 2)))
        channels, cells, _ = generator.latent_shape
        cells = cells * bank.size // generator.image_size
        # Half precision: they fill the memory. NaN until an image is first drawn.
        shape = (len(bank), self._cuts, channels, cells, cells)
        self._latents = torch.full(shape, torch.nan, dtype=torch.half)
        has_lesion = _touched_by_lesion(bank.masks, cells)
        #: Weight of each cell, ``[N, 1, h, w]``.
        self.weights = torch.where(torch.from_numpy(has_lesion)[:, None], _LESION_WEIGHT, 1.0)
        #: Which images show a small lesion, ``[N]``.
        self.small = has_lesion.any((1, 2)) & (has_lesion.mean((1, 2)) <= _SMALL_LESION_SHARE)

    def rows(self, indices: NDArray[np.int64], rng: np.random.Generator) -> LatentRows:
        """Take images with captions and spatial conditions, some of them left out at random."""
        bank = self.bank
        captions = [
            "" if rng.random() < CAPTION_DROPOUT else str(bank.captions[index]) for index in indices
        ]
        cuts = rng.integers(self._cuts, size=len(indices))
        cuts[self._has_mask[indices]] = 0
        spatial = [
            random_spatial_conditions(
                rng,
                self._image(index, cut),
                bank.masks[index] if self._has_mask[index] else None,
                share=_SMALL_LESION_SPATIAL_SHARE if self.small[index] else SPATIAL_SHARE,
            )
            for index, cut in zip(indices, cuts, strict=True)
        ]
        return LatentRows(
            latents=self._encoded(indices, cuts),
            text=self._generator.embed(captions),
            position=torch.from_numpy(bank.positions[indices]),
            spatial=torch.from_numpy(np.stack(spatial)),
        )

    def _image(self, index: int, cut: int) -> NDArray[np.float32]:
        """Return a cut of an image, enlarged to its size; the first cut is the whole image."""
        image = self.bank.images[index].astype(np.float32)
        if cut == 0:
            return image
        rng = np.random.default_rng((self._seed, index, cut))
        side = round(rng.uniform(_LEAST_CUT, 1.0) * len(image))
        top, left = rng.integers(len(image) - side + 1, size=2)
        part = torch.from_numpy(image[None, None, top : top + side, left : left + side])
        large_part = functional.interpolate(part, size=image.shape, mode="bicubic")
        return np.asarray(large_part[0, 0].clamp(-1.0, 1.0))

    @torch.no_grad()
    def _encoded(self, indices: NDArray[np.int64], cuts: NDArray[np.int64]) -> Tensor:
        for index, cut in set(zip(indices.tolist(), cuts.tolist(), strict=True)):
            if self._latents[index, cut, 0, 0, 0].isnan():
                # One at a time: rounding must not depend on which others are drawn with it.
                image = torch.from_numpy(self._image(index, cut))
                latent = self._generator.encode(image[None, None])[0].cpu()
                self._latents[index, cut] = latent.half()
        return self._latents[torch.from_numpy(indices), torch.from_numpy(cuts)].float()


def _touched_by_lesion(masks: NDArray[np.uint8], cells: int) -> NDArray[np.bool_]:
    """Which latent cells a lesion touches, ``[N, cells, cells]``."""
    side = masks.shape[1] // cells
    blocks = (masks == LABEL["lesion"]).reshape(len(masks), cells, side, cells, side)
    return np.asarray(blocks.any((2, 4)))
