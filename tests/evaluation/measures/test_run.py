import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from fedscan.errors import ConfigurationError, ModelError
from fedscan.evaluation.measures.results import EvaluationResult
from fedscan.evaluation.measures.run import evaluate
from fedscan.evaluation.measures.settings import EvaluationSettings


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Small numbers and a small extractor; the large one has its own tests."""
    path = tmp_path_factory.mktemp("extractor") / "pool.pt2"
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten())
    shape = ({0: torch.export.Dim("batch")},)
    images = torch.zeros(2, 3, 128, 128)
    torch.export.save(torch.export.export(network, (images,), dynamic_shapes=shape), path)
    return EvaluationSettings(
        samples=32,
        samples_per_class=24,
        classifier_steps=30,
        classifier_seeds=2,
        bootstrap=100,
        min_patients_per_class=4,
        gallery_prompts=2,
        gallery_columns=3,
        extractor=str(path),
    )


class Faithful:
    """Draws what the caption asks for; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, captions, positions, seed):
        self.asked.append((tuple(captions), positions.tolist(), seed))
        rng = np.random.default_rng(seed + 77)
        rows, columns = np.mgrid[:32, :32]
        images = []
        for caption in captions:
            centre = 10 if "no finding" in caption else 21
            disc = np.hypot(rows - 15 + rng.normal(), columns - centre + rng.normal()) < 6
            images.append(disc * 1.2 - 0.6 + rng.normal(0, 0.15, (32, 32)))
        return np.stack(images).astype(np.float32)


def blind(captions, positions, seed):
    return np.random.default_rng(seed).uniform(-1, 1, (len(captions), 32, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def run(real, settings, tmp_path_factory):
    gallery = tmp_path_factory.mktemp("gallery")
    told = []
    samplers = {"base": Faithful(), "fedscan": Faithful(), "blind": blind}
    result = evaluate(
        samplers,
        real,
        settings,
        autoencode=lambda images: images,
        gallery=gallery,
        progress=lambda message, done, of: told.append((message, done / of)),
    )
    return result, samplers, gallery, told


def test_all_generators_are_asked_the_same(run):
    _, samplers, _, _ = run
    assert samplers["base"].asked == samplers["fedscan"].asked
    assert len(samplers["base"].asked) == 1


def test_faithful_images_score_better_than_noise(run):
    result, *_ = run
    assert [generator.name for generator in result.generators] == ["base", "fedscan", "blind"]
    good, same, bad = result.generators
    assert good.distances == same.distances
    assert good.distances.frechet < 0.2 * bad.distances.frechet
    assert good.distances.kernel < 0.2 * bad.distances.kernel
    assert good.ms_ssim > bad.ms_ssim
    assert good.utility[0].auc.low > 0.85
    assert bad.utility[0].auc.value < 0.85
    assert good.utility[0].auc_of_real.value == pytest.approx(1, abs=0.15)
    assert good.memorisation.pixel_ratio == pytest.approx(1, abs=0.2)


def test_the_real_side_is_described(run, real):
    result, *_ = run
    assert [task.key for task in result.tasks] == ["pneumonia"]
    assert result.tasks[0].holdout_patients == (8, 8)
    assert sum(result.tasks[0].holdout_images) == len(real.holdout)
    assert result.real.train_patients == 24
    assert result.real.distances.images == 32
    assert result.real.utility[0].auc.low > 0.85
    assert result.reconstruction.psnr == 100
    assert result.extractor == "pool.pt2"


def test_gallery_files_exist_and_progress_reaches_the_end(run):
    result, _, gallery, told = run
    files = [strip.file for group in result.gallery for strip in group.strips]
    assert len(files) == 8
    assert [group.title.split(":")[0] for group in result.closest] == ["base", "fedscan", "blind"]
    files += [strip.file for group in result.closest for strip in group.strips]
    assert len(set(files)) == 14
    assert all((gallery / name).is_file() for name in files)
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert any("fedscan" in message for message, _ in told)


def test_results_survive_json(run):
    result, *_ = run
    assert EvaluationResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


@pytest.mark.parametrize("names", [("a b", "A-b"), ("Real",), ("training",)])
def test_names_that_would_share_files_are_refused(real, settings, names):
    with pytest.raises(ConfigurationError, match="cannot be told apart"):
        evaluate(dict.fromkeys(names, blind), real, settings)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (lambda n: np.zeros((n, 16, 16), np.float32), "shape"),
        (lambda n: np.full((n, 32, 32), np.nan, np.float32), "not finite"),
    ],
)
def test_unusable_images_are_refused(real, settings, images, message):
    with pytest.raises(ModelError, match=message):
        evaluate(
            {"odd": lambda captions, positions, seed: images(len(captions))},
            real,
            replace(settings, classifier_steps=10, classifier_seeds=1),
        )
