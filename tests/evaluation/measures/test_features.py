import hashlib

import numpy as np
import pytest
import torch
from fedscan.errors import ConfigurationError
from fedscan.evaluation.measures.features import load_extractor


@pytest.fixture(scope="module")
def extractor():
    return load_extractor()


def test_features_do_not_depend_on_the_batch(extractor):
    images = np.random.default_rng(0).uniform(-1, 1, (5, 40, 40)).astype(np.float32)
    whole = extractor.features(images)
    assert whole.shape == (5, 1280)
    assert whole.dtype == torch.float32
    assert torch.allclose(whole, extractor.features(images, batch_size=2), atol=1e-4)
    assert torch.equal(whole, extractor.features(images))


def test_weights_are_named_and_hashed(extractor):
    assert "EfficientNet-lite0" in extractor.name
    assert len(bytes.fromhex(extractor.digest)) == 32


def test_weights_know_what_a_cat_is(extractor):
    """The network is the trained one, fed as it was trained: unlike pictures are far apart."""
    data = pytest.importorskip("skimage.data")
    cat = data.chelsea()[:, 75:375].mean(axis=2)
    camera = data.camera()[100:400, 100:400].astype(float)
    shifted = data.chelsea()[:, 85:385].mean(axis=2)
    stack = [image[:300, :300] / 127.5 - 1 for image in (cat, shifted, camera)]
    a, b, c = extractor.features(np.stack(stack).astype(np.float32))
    assert torch.dist(a, b) < 0.7 * torch.dist(a, c)


def export(network, path):
    images = torch.zeros(2, 3, 128, 128)
    dynamic = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(network, (images,), dynamic_shapes=dynamic), path)
    return str(path)


def test_own_extractor_by_path(tmp_path):
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())
    path = export(network, tmp_path / "mean.pt2")
    own = load_extractor(path)
    images = np.full((5, 20, 20), 0.5, np.float32)
    assert own.features(images, batch_size=2).tolist() == [[0.5] * 12] * 5
    assert own.digest == hashlib.sha256((tmp_path / "mean.pt2").read_bytes()).hexdigest()
    assert own.name == "mean.pt2"


def test_unusable_extractors_are_named(tmp_path):
    broken = tmp_path / "broken.pt2"
    broken.write_bytes(b"no network")
    with pytest.raises(ConfigurationError, match=r"broken\.pt2"):
        load_extractor(str(broken))
    with pytest.raises(ConfigurationError, match="missing"):
        load_extractor(str(tmp_path / "missing"))
    maps = export(torch.nn.ReLU(), tmp_path / "maps.pt2")
    with pytest.raises(ConfigurationError, match=r"not \(2, D\)"):
        load_extractor(maps)
