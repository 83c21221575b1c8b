"""What an evaluation found, as plain values that survive JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ...errors import DataError

_CONFIG = ConfigDict(extra="forbid")
Results = TypeVar("Results")
Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Interval:
    """A value with its 95 % percentile bootstrap interval, resampled by patient."""

    value: Finite
    low: Finite
    high: Finite


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class TaskInfo:
    """A classification task and the held-out patients it is scored on.

    Attributes:
        key: Short stable name.
        title: Name for people.
        classes: Words of the classes.
        holdout_images: Held-out images per class.
        holdout_patients: Held-out patients with at least one image, per class.
    """

    key: str
    title: str
    classes: tuple[str, ...]
    holdout_images: tuple[int, ...]
    holdout_patients: tuple[int, ...]

    @property
    def chance(self) -> float:
        """Balanced accuracy of guessing."""
        return 1 / len(self.classes)


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class TaskUtility:
    """Scores on real held-out patients of classifiers trained on one set of images.

    Attributes:
        task: Key of the task.
        train_images: Images of the task's classes trained on.
        auc: Area under the ROC curve; mean of one against rest for more than two classes.
        accuracy: Balanced accuracy.
        seed_aucs: AUC of each classifier alone; ``auc`` is that of their mean answer.
        auc_of_real: AUC divided by that of training on real images.
        accuracy_of_real: Balanced accuracy divided by that of training on real images.
    """

    task: str
    train_images: int
    auc: Interval
    accuracy: Interval
    seed_aucs: tuple[Finite, ...]
    auc_of_real: Interval | None = None
    accuracy_of_real: Interval | None = None


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Distances:
    """Distances of a set of images to the held-out images, on features.

    Attributes:
        frechet: Squared Fréchet distance; biased upwards for few images.
        kernel: Squared kernel distance; unbiased.
        kernel_deviation: Its standard deviation over random subsets.
        images: Images compared with the held-out ones.
    """

    frechet: Finite
    kernel: Finite
    kernel_deviation: Finite
    images: int


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Memorisation:
    """Distance to the nearest training image, beside that of unseen patients.

    Attributes:
        feature_ratio: Median over synthetic images, by median over held-out, in features.
        pixel_ratio: The same in pixels.
        feature_close_share: Share of synthetic images closer to a training image than the
            ``close_quantile`` of the held-out images is, in features.
        pixel_close_share: The same in pixels.
        close_quantile: That quantile; the shares' value where nothing is memorised.
        searched: Training images searched.
    """

    feature_ratio: Finite
    pixel_ratio: Finite
    feature_close_share: Finite
    pixel_close_share: Finite
    close_quantile: Finite
    searched: int


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class GeneratorScores:
    """Everything measured on one generator.

    Attributes:
        name: Such as "base", "fedscan", "non-private" or "pooled".
        images: Images sampled in all.
        seconds: Wall-clock seconds that sampling took.
        distances: To the held-out images.
        ms_ssim: Similarity of pairs that were asked to show the same.
        utility: Per task.
        memorisation: Nearest training images.
    """

    name: str
    images: int
    seconds: Finite
    distances: Distances
    ms_ssim: Finite | None
    utility: tuple[TaskUtility, ...]
    memorisation: Memorisation


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class RealScores:
    """The same measured on real training images: what a perfect generator would reach.

    Attributes:
        train_patients: Training patients in the sets.
        train_images: Their images.
        holdout_patients: Held-out patients in the sets.
        holdout_images: Their images.
        distances: Of training to held-out images.
        ms_ssim: Of held-out images.
        utility: Of training on real images, per task.
    """

    train_patients: int
    train_images: int
    holdout_patients: int
    holdout_images: int
    distances: Distances
    ms_ssim: Finite | None
    utility: tuple[TaskUtility, ...]


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Reconstruction:
    """The autoencoder's loss on held-out images.

    Attributes:
        psnr: Mean peak signal-to-noise ratio in dB.
        ssim: Mean structural similarity.
        images: Images measured.
    """

    psnr: Finite
    ssim: Finite
    images: int


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class GalleryStrip:
    """One row of images in a file of the gallery folder.

    Attributes:
        source: "real" or the generator's name.
        file: File name within the gallery folder.
        synthetic: Whether a generator made the images.
    """

    source: str
    file: str
    synthetic: bool


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class GalleryGroup:
    """Strips of the same prompts: column for column the same caption and position.

    Attributes:
        title: What all the columns share.
        captions: Caption of each column.
        strips: Real first, then each generator.
    """

    title: str
    captions: tuple[str, ...]
    strips: tuple[GalleryStrip, ...]


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class EvaluationResult:
    """Everything an evaluation found.

    Attributes:
        schema: Version of this layout.
        extractor: Name of the feature network.
        extractor_sha256: Hash of its weights.
        settings: The evaluation's settings.
        tasks: The tasks that the data allowed.
        real: Measures of real training images.
        generators: Measures of each generator, in the order given.
        reconstruction: The autoencoder on held-out images, where it was given.
        gallery: The gallery's rows, where one was written.
        closest: Per generator its images that come closest to training images, with those;
            where real images may be shown.
    """

    schema: Literal[1] = 1
    extractor: str
    extractor_sha256: str
    settings: dict[str, bool | int | float | str | tuple[str, ...]]
    tasks: tuple[TaskInfo, ...]
    real: RealScores
    generators: tuple[GeneratorScores, ...]
    reconstruction: Reconstruction | None = None
    gallery: tuple[GalleryGroup, ...] = ()
    closest: tuple[GalleryGroup, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready dictionary."""
        plain: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> EvaluationResult:
        """Read what :meth:`to_dict` wrote.

        Raises:
            DataError: If a field is missing, unknown or of the wrong type.
        """
        return read_results(_ADAPTER, plain, what="evaluation", hint="evaluate again")


def read_results(
    adapter: TypeAdapter[Results], plain: Mapping[str, Any], *, what: str, hint: str
) -> Results:
    """Read results from a JSON-ready dictionary.

    Args:
        adapter: Of the results' type.
        plain: The dictionary.
        what: Which results, for the message.
        hint: What to do if another version of fedscan wrote them.

    Raises:
        DataError: If a field is missing, unknown or of the wrong type.
    """
    try:
        return adapter.validate_python(dict(plain))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"These {what} results cannot be read: {place}: {first['msg']}.",
            hint=f"They may come from another version of fedscan: {hint}.",
        ) from error


_ADAPTER = TypeAdapter(EvaluationResult)
