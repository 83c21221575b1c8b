"""The warm-up moves public samples to the means, and training on them moves the generator."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from fedscan.model.generator import build_generator
from fedscan.model.sampling import sample
from fedscan.model.settings import GeneratorSettings, TrainableSettings
from fedscan.model.statistics.group_means import RESOLUTION, Group, GroupMean, pool
from fedscan.model.statistics.warm_up import moved_samples, train_on_moved_samples
from fedscan.model.trainable import select_trainable

CT = Group("CT", "head", "axial", "no finding", 1)
COUNT = 16
MR = Group("T1-weighted MR", "head", "axial", "lesion", 1)


@pytest.fixture(scope="module")
def base():
    return build_generator(GeneratorSettings(size="tiny"), seed=0)


@pytest.fixture(scope="module")
def own(base):
    """The base's own mean image of each group, pooled."""
    found = {}
    for group in (CT, MR):
        captions = [group.description().caption()] * COUNT
        images = sample(
            base, captions, positions=[group.position] * COUNT, guidance_scale=1.0, steps=8, seed=5
        )
        found[group] = np.mean([pool(image) for image in images], axis=0)
    return found


def brighter(own, group, *, noise=0.0, share=1.0):
    """A mean that is brighter than the base's own where the head is, and darker above it."""
    image = own[group].copy()
    image[RESOLUTION // 4 : -RESOLUTION // 4] += 0.12
    image[: RESOLUTION // 4] -= 0.1
    return GroupMean(group, np.clip(image, 0, 1).astype(np.float32), noise, share)


def decoded_mean(base, latents):
    images = torch.cat([base.decode(part) for part in latents.split(32)])[:, 0].numpy()
    return np.mean([pool(image) for image in images], axis=0)


def distance(one, other):
    return float(np.sqrt(((one - other) ** 2).mean()))


def test_samples_take_on_the_given_means_and_keep_their_variety(base, own):
    mean = brighter(own, CT)
    rows = moved_samples(base, [mean], images=COUNT, seed=5)
    plain = moved_samples(base, [GroupMean(CT, own[CT], 0.0, 1.0)], images=COUNT, seed=5)
    assert len(rows) == COUNT
    before = distance(decoded_mean(base, plain.latents), mean.image)
    after = distance(decoded_mean(base, rows.latents), mean.image)
    assert after < 0.4 * before
    assert rows.latents.std(0).mean() > 0.7 * plain.latents.std(0).mean()


def test_groups_share_the_images_and_keep_their_conditions(base, own):
    means = [brighter(own, CT, share=0.75), brighter(own, MR, share=0.25)]
    rows = moved_samples(base, means, images=32, seed=5)
    assert len(rows) == 32
    expected = base.embed([CT.description().caption()] * 24 + [MR.description().caption()] * 8)
    assert torch.equal(rows.text, expected)
    assert torch.allclose(rows.position, torch.tensor(CT.position))


def test_a_difference_that_noise_explains_moves_nothing(base, own):
    rows = moved_samples(base, [brighter(own, CT, noise=0.5)], images=16, seed=5)
    plain = moved_samples(base, [GroupMean(CT, own[CT], 0.5, 1.0)], images=16, seed=5)
    assert torch.equal(rows.latents, plain.latents)


def test_training_on_them_moves_what_the_generator_makes(base, own):
    mean = brighter(own, CT)
    tuned = copy.deepcopy(base)
    parameters = select_trainable(tuned, TrainableSettings(subset="all"))
    frozen = tuned.latents_digest()
    seen = []
    train_on_moved_samples(
        tuned,
        parameters,
        moved_samples(base, [mean], images=32, seed=1),
        steps=16,
        learning_rate=1e-3,
        seed=2,
        on_progress=lambda _, done, steps: seen.append((done, steps)),
    )
    captions = [CT.description().caption()] * COUNT
    drawn = sample(
        tuned, captions, positions=[CT.position] * COUNT, guidance_scale=1.0, steps=8, seed=5
    )
    found = np.mean([pool(image) for image in drawn], axis=0)
    assert distance(found, mean.image) < 0.85 * distance(own[CT], mean.image)
    assert tuned.latents_digest() == frozen
    assert seen[-1] == (16, 16)


def test_training_is_decided_by_its_seed(base, own):
    rows = moved_samples(base, [brighter(own, CT)], images=8, seed=1)
    results = []
    for seed in (2, 2, 3):
        tuned = copy.deepcopy(base)
        parameters = select_trainable(tuned, TrainableSettings(subset="attention"))
        train_on_moved_samples(tuned, parameters, rows, steps=2, learning_rate=1e-3, seed=seed)
        results.append(torch.cat([value.detach().flatten() for value in parameters.values()]))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
