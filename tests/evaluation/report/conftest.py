import numpy as np
import pytest
from fedscan.evaluation.measures.results import (
    Distances,
    EvaluationResult,
    GalleryGroup,
    GalleryStrip,
    GeneratorScores,
    Interval,
    Memorisation,
    RealScores,
    Reconstruction,
    TaskInfo,
    TaskUtility,
)
from fedscan.evaluation.report.results import (
    GeneratorInfo,
    Mechanism,
    RunResults,
    SitePrivacy,
    SiteReport,
    SiteRound,
)
from fedscan.model.marking import strip

NAMES = ("base", "fedscan", "non-private")


def utility(value, of_real=True):
    def near(middle):
        return Interval(value=middle, low=middle - 0.0411, high=middle + 0.0312)

    return TaskUtility(
        task="lesion",
        train_images=217,
        auc=near(value),
        accuracy=near(value - 0.0873),
        seed_aucs=(value - 0.0051, value + 0.0051),
        auc_of_real=near(value / 0.943) if of_real else None,
        accuracy_of_real=near(value / 0.957) if of_real else None,
    )


def distances(frechet):
    return Distances(
        frechet=frechet, kernel=frechet / 617, kernel_deviation=frechet / 9119, images=256
    )


@pytest.fixture
def evaluation():
    return EvaluationResult(
        extractor="EfficientNet-lite0",
        extractor_sha256="ab" * 32,
        settings={"classifier_seeds": 2, "gallery_real": True, "guidance_scale": 2.5},
        tasks=(
            TaskInfo(
                key="lesion",
                title="no finding against lesion",
                classes=("no finding", "lesion"),
                holdout_images=(143, 131),
                holdout_patients=(61, 58),
            ),
        ),
        real=RealScores(
            train_patients=211,
            train_images=509,
            holdout_patients=83,
            holdout_images=274,
            distances=distances(12.34),
            ms_ssim=0.3127,
            utility=(utility(0.9431, of_real=False),),
        ),
        generators=tuple(
            GeneratorScores(
                name=name,
                images=333,
                seconds=21.7 + number,
                distances=distances(210.9 - 57.3 * number),
                ms_ssim=0.4159 - number / 19,
                utility=(utility(0.6123 + number / 11),),
                memorisation=Memorisation(
                    feature_ratio=1.2345 - number / 13,
                    pixel_ratio=0.9871 - number / 17,
                    feature_close_share=0.0123 * (number + 1),
                    pixel_close_share=0.0717 * (number + 1),
                    close_quantile=0.05,
                    searched=4321,
                ),
            )
            for number, name in enumerate(NAMES)
        ),
        reconstruction=Reconstruction(psnr=31.27, ssim=0.9617, images=274),
        gallery=(
            GalleryGroup(
                title="axial CT slice of the head, lesion",
                captions=("axial CT slice of the head, lesion, male",) * 2,
                strips=(
                    GalleryStrip(source="real", file="01-real.png", synthetic=False),
                    GalleryStrip(source="fedscan", file="01-fedscan.png", synthetic=True),
                ),
            ),
        ),
        closest=(
            GalleryGroup(
                title="fedscan: closest to training images",
                captions=("axial CT slice of the head",) * 2,
                strips=(
                    GalleryStrip(source="fedscan", file="closest.png", synthetic=True),
                    GalleryStrip(source="training", file="closest-training.png", synthetic=False),
                ),
            ),
        ),
    )


@pytest.fixture
def gallery(tmp_path):
    folder = tmp_path / "gallery"
    folder.mkdir()
    images = np.linspace(-1, 1, 2 * 16 * 16, dtype=np.float32).reshape(2, 16, 16)
    strip(images, label="real", synthetic=False).save(folder / "01-real.png")
    strip(images, label="fedscan", synthetic=True).save(folder / "01-fedscan.png")
    strip(images, label="fedscan", synthetic=True).save(folder / "closest.png")
    strip(images, label="training", synthetic=False).save(folder / "closest-training.png")
    return folder


@pytest.fixture
def run(evaluation):
    sites = ("north", "south")
    return RunResults(
        fedscan="9.8.7",
        name="Heads",
        study_digest="cd" * 32,
        private=True,
        seconds=377.0,
        generator=GeneratorInfo(
            size="small",
            image_size=64,
            parameters=4_812_345,
            trained_parameters=183_040,
            trained_subset="attention",
            base="the shipped base",
        ),
        sites=tuple(
            SiteReport(
                name=name,
                train_patients=171 + index,
                holdout_patients=43 + index,
                images=1913 + index,
                set_aside={"burned-in annotation": 17 + index},
                privacy=SitePrivacy(
                    epsilon=7.613 + index / 7,
                    epsilon_rdp=8.213 + index / 7,
                    epsilon_ceiling=8.0,
                    delta=1e-5,
                    mechanisms=(
                        Mechanism(
                            purpose="training",
                            sample_rate=0.235,
                            noise_multiplier=2.1437 + index,
                            steps=13,
                            times=3,
                        ),
                    ),
                ),
            )
            for index, name in enumerate(sites)
        ),
        rounds=tuple(
            SiteRound(
                round=number,
                site=name,
                code="budget-exceeded" if (number, name) == (3, "south") else "ok",
                update_norm=3.217 / number + index,
                cosine=0.617 / number - index,
                seconds=11.37 + number,
                epsilon=2.371 * number + index / 9,
                bytes_sent=2_417_000,
                bytes_received=2_391_000,
            )
            for number in (1, 2, 3)
            for index, name in enumerate(sites)
        ),
        settings={
            "privacy": {"enabled": True, "clip_norm": 0.8125},
            "generator": {"size": "small", "base": ""},
        },
        evaluation=evaluation,
    )
