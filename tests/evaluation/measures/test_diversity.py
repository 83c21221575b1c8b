import numpy as np
import pytest
from fedscan.evaluation.measures.diversity import ms_ssim, reconstruction
from fedscan.model.description import Description
from skimage.metrics import peak_signal_noise_ratio

CT, MR = Description(modality="CT"), Description(modality="MR")


def noise(count, size=32, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, size, size)).astype(np.float32)


def test_repeated_images_are_fully_similar_and_noise_is_not():
    one = noise(1)
    assert ms_ssim(np.repeat(one, 6, axis=0), [CT] * 6, seed=0, pairs=8) == pytest.approx(1)
    assert ms_ssim(noise(20), [CT] * 20, seed=0, pairs=32) < 0.3


def test_pairs_show_the_same_but_may_differ_in_sex():
    first, second = noise(1, seed=1), noise(1, seed=2)
    images = np.concatenate([first, second, first, second])
    assert ms_ssim(images, [CT, MR, CT, MR], seed=0, pairs=16) == pytest.approx(1)
    woman = Description(modality="CT", sex="female")
    mixed = ms_ssim(images, [CT, CT, woman, woman], seed=0, pairs=64)
    assert 0 < mixed < 0.9


def test_nothing_to_pair_or_too_small_gives_nothing():
    assert ms_ssim(noise(2), [CT, MR], seed=0) is None
    assert ms_ssim(noise(4, size=16), [CT] * 4, seed=0) is None


def test_reconstruction_against_scikit_image():
    images = noise(5)
    found = reconstruction(images, lambda stack: stack * 0.9)
    wanted = [peak_signal_noise_ratio(x, x * np.float32(0.9), data_range=2) for x in images]
    assert found.psnr == pytest.approx(np.mean(wanted), rel=1e-4)
    assert 0.9 < found.ssim < 1
    perfect = reconstruction(images, lambda stack: stack)
    assert (perfect.psnr, perfect.images) == (100, 5)
    assert perfect.ssim == pytest.approx(1)
