"""The generator as prior: the likeliest clean image near a given one, at any image size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ...model.denoising import clean_and_noise, guided_prediction, levels
from ...model.generator import Generator
from ...model.intensity import (
    hounsfield_to_linear,
    hounsfield_to_model,
    linear_to_hounsfield,
    model_to_hounsfield,
)

Floats = NDArray[np.float32]
_BATCH = 16


@dataclass(frozen=True, eq=False)
class Prior:
    """A generator asked what images look like.

    Attributes:
        generator: The generator.
        caption: What the images show; empty if unknown.
        position: Slice position in [0, 1].
        linear: Whether images are CT in proportion to Hounsfield units
            (:func:`~fedscan.model.intensity.hounsfield_to_linear`) instead of in the generator's
            own range.
    """

    generator: Generator
    caption: str = ""
    position: float = 0.5
    linear: bool = False

    def estimate(self, images: Floats, level: float) -> Floats:
        """Estimate the images behind images whose latents are off by noise of a level.

        The expected latent given a noisy one is what the denoiser predicts at the timestep of
        that noise (Tweedie's formula; DiffPIR's prior step, Zhu et al., arXiv 2305.08995).
        Images larger than the generator's go through in overlapping windows, at their own
        resolution and without the caption, since a window is not the whole picture.

        Args:
            images: ``[N, H, W]`` in [-1, 1].
            level: Standard deviation of the latents' error over the clean latents' own.

        Returns:
            ``[N, H, W]`` in [-1, 1].
        """
        if self.linear:
            own = hounsfield_to_model(linear_to_hounsfield(images))
            clean = replace(self, linear=False).estimate(own, level)
            return hounsfield_to_linear(model_to_hounsfield(clean))
        side = self.generator.image_size
        count, height, width = images.shape
        pad = ((0, 0), (0, max(0, side - height)), (0, max(0, side - width)))
        canvas = np.pad(images, pad, mode="edge")
        corners = [
            (i, j) for i in _starts(canvas.shape[1], side) for j in _starts(canvas.shape[2], side)
        ]
        caption = self.caption if len(corners) == 1 else ""
        windows = np.stack(
            [image[i : i + side, j : j + side] for image in canvas for i, j in corners]
        )
        estimates = iter(self._whole(windows, level, caption))
        total = np.zeros(canvas.shape, np.float64)
        weight = np.zeros(canvas.shape, np.float64)
        ramp = np.hanning(side + 2)[1:-1]
        blend = np.outer(ramp, ramp) + 1e-6
        for index in range(count):
            for i, j in corners:
                at = (index, slice(i, i + side), slice(j, j + side))
                total[at] += blend * next(estimates)
                weight[at] += blend
        return (total / weight)[:, :height, :width].astype(np.float32)

    @torch.no_grad()
    def _whole(self, images: Floats, level: float, caption: str) -> Floats:
        """Estimate images ``[N, size, size]`` of the generator's own size."""
        generator = self.generator
        alpha_bar = generator.scheduler.alphas_cumprod
        timestep = int((((1 - alpha_bar) / alpha_bar).sqrt() - level).abs().argmin())
        signal, _ = levels(generator, timestep)
        estimates = []
        for first in range(0, len(images), _BATCH):
            batch = torch.from_numpy(np.clip(images[first : first + _BATCH], -1, 1))[:, None]
            # The error of the image is the noise: none is added, so nothing is left to chance.
            channels = generator.encode_all(batch)
            count = generator.latent_shape[0]
            noisy = signal * channels[:, :count]
            prediction = guided_prediction(
                generator,
                noisy,
                timestep,
                [caption] * len(noisy),
                torch.full((len(noisy),), self.position, device=noisy.device),
                None,
                guidance_scale=1.0,
            )
            clean, _ = clean_and_noise(generator, noisy, prediction, timestep)
            # What the generator does not draw, it knows nothing of: that stays as it is.
            whole = torch.cat([clean, channels[:, count:]], 1)
            estimates.append(generator.decode(whole)[:, 0].cpu().numpy())
        return np.concatenate(estimates)


def _starts(length: int, side: int) -> list[int]:
    """First indices of windows that cover a length, each overlapping the next by half."""
    count = 1 + max(0, -(-2 * (length - side) // side))
    return [round(float(start)) for start in np.linspace(0, length - side, count)]
