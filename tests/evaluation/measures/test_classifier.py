import numpy as np
import torch
from fedscan.evaluation.measures.classifier import predict, train_classifier
from scipy.ndimage import gaussian_filter


def sides(rng, labels, size=32):
    images = rng.normal(0, 0.3, (len(labels), size, size)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        start = 4 + label * (size // 2)
        image[10:20, start : start + 8] += 1
    return np.clip(images, -1, 1)


def test_it_tells_left_from_right_even_when_one_side_is_rare():
    rng = np.random.default_rng(0)
    labels = np.array([0] * 44 + [1] * 4)
    network = train_classifier(sides(rng, labels), labels, classes=2, steps=40, seed=0)
    fresh = np.array([0, 1] * 20)
    found = predict(network, sides(rng, fresh))
    assert found.shape == (40, 2)
    assert np.allclose(found.sum(axis=1), 1)
    assert np.mean(found.argmax(axis=1) == fresh) > 0.9


def test_training_is_deterministic_and_leaves_the_global_generator_alone():
    labels = np.array([0, 1, 2] * 4)
    images = np.random.default_rng(1).uniform(-1, 1, (12, 96, 96)).astype(np.float32)
    before = torch.random.get_rng_state()
    first, second, other = (
        predict(train_classifier(images, labels, classes=3, steps=3, seed=seed), images)
        for seed in (4, 4, 5)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_it_knows_images_less_sharp_than_those_it_learnt_from():
    rng = np.random.default_rng(2)
    labels = np.array([0, 1] * 24)
    network = train_classifier(sides(rng, labels), labels, classes=2, steps=40, seed=0)
    fresh = np.array([0, 1] * 20)
    found = predict(network, gaussian_filter(sides(rng, fresh), (0, 1, 1)))
    assert np.mean(found.argmax(axis=1) == fresh) > 0.9
