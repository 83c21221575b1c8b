import numpy as np
import torch
from fedscan.evaluation.measures.memorisation import compare, nearest, pixel_vectors


def images(seed, count):
    return np.random.default_rng(seed).uniform(-1, 1, (count, 32, 32)).astype(np.float32)


def verdict(train, holdout, synthetic):
    vectors = [pixel_vectors(stack) for stack in (train, holdout, synthetic)]
    made, unseen = nearest(vectors[2], vectors[0]), nearest(vectors[1], vectors[0])
    return compare(
        feature=made,
        feature_holdout=unseen,
        pixel=made,
        pixel_holdout=unseen,
        train_count=len(train),
    )


def test_nearest_is_brute_force():
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(300, 5, generator=generator)
    train = torch.randn(40, 5, generator=generator)
    distances = (queries[:, None] - train[None]).square().sum(-1).sqrt()
    assert torch.allclose(nearest(queries, train).distances, distances.min(dim=1).values, atol=1e-5)


def test_pixel_distance_is_the_root_mean_square():
    flat = pixel_vectors(np.stack([np.full((64, 64), -0.5), np.full((64, 64), 0.25)]).astype("f4"))
    assert torch.dist(flat[0], flat[1]).item() == np.float32(0.75)


def test_copies_are_found_and_fresh_images_are_not():
    train, holdout = images(0, 60), images(1, 60)
    copied = verdict(train, holdout, train[:20])
    assert copied.pixel_ratio < 0.01
    assert copied.pixel_close_share == copied.feature_close_share == 1
    assert copied.searched == 60
    fresh = verdict(train, holdout, images(2, 60))
    assert 0.9 < fresh.pixel_ratio < 1.1
    assert fresh.pixel_close_share < 0.25
