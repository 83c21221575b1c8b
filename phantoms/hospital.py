"""Phantom hospitals: made-up patients of made-up scanners, written as real DICOM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..common.progress import Progress, no_progress
from ..errors import DataError
from ..model.conditions import LABEL
from .anatomical.atlas import HeadAtlas, load_atlas
from .anatomical.contrast import hounsfield, mr_signal
from .anatomical.patient import draw_head
from .anatomical.sampling import Anatomy, AxialGrid, sample_anatomy
from .anatomical.scanner import ct_image, headrest, mr_image
from .dicom_writer import Equipment, PatientRecord, write_series
from .profile import HospitalProfile, hospital_profile
from .segmentation import write_segmentation
from .settings import PhantomSettings

#: Smallest area in mm² of a lesion on a slice that is drawn.
_VISIBLE_AREA = 60.0


@dataclass(frozen=True)
class HospitalSummary:
    """What was written for one hospital.

    Attributes:
        name: The site.
        folder: Its folder.
        patients: Number of patients.
        lesions: Patients with a lesion.
        series: Image series by contrast.
        images: Image files; segmentation objects are not counted.
        segmentations: Segmentation files.
    """

    name: str
    folder: Path
    patients: int
    lesions: int
    series: dict[str, int]
    images: int
    segmentations: int


@dataclass(frozen=True)
class _Written:
    lesion: bool
    contrasts: tuple[str, ...]
    has_mask: bool


def write_hospitals(
    out: Path,
    settings: PhantomSettings,
    *,
    progress: Progress = no_progress,
) -> list[HospitalSummary]:
    """Write the hospitals, each into its own folder below ``out``.

    The layout is ``SITE/PATIENT/CONTRAST/NN.dcm`` with ``SITE/PATIENT/segmentation.dcm``,
    one segmentation object for all of a patient's series: they share their slices.

    Args:
        out: Folder to write into; a site's folder must not exist yet.
        settings: What to write.
        progress: Called with site, patients written and patients in all.

    Returns:
        One summary per hospital.

    Raises:
        DataError: If a site's folder already holds files.
    """
    profiles = [hospital_profile(i, settings.seed) for i in range(len(settings.patients))]
    for profile in profiles:
        folder = out / profile.name
        if folder.exists() and any(folder.iterdir()):
            raise DataError(
                f"{folder} is not empty.", hint="Choose a new folder, or remove the old hospitals."
            )
    return [
        _write_hospital(out / profile.name, index, profile, settings, progress)
        for index, profile in enumerate(profiles)
    ]


def _write_hospital(
    folder: Path,
    index: int,
    profile: HospitalProfile,
    settings: PhantomSettings,
    progress: Progress,
) -> HospitalSummary:
    folder.mkdir(parents=True, exist_ok=True)
    total = settings.patients[index]
    write = partial(_write_patient, folder, index, profile, settings)
    series: Counter[str] = Counter()
    lesions = segmentations = 0
    for number, patient in enumerate(_run(write, total, settings.workers), start=1):
        series.update(patient.contrasts)
        lesions += patient.lesion
        segmentations += patient.has_mask
        progress(profile.name, number, total)
    return HospitalSummary(
        name=profile.name,
        folder=folder,
        patients=total,
        lesions=lesions,
        series=dict(sorted(series.items())),
        images=settings.slices * series.total(),
        segmentations=segmentations,
    )


def _run(write: Callable[[int], _Written], total: int, workers: int) -> Iterator[_Written]:
    if workers == 1:
        yield from map(write, range(total))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(write, range(total), chunksize=8)


@lru_cache(maxsize=1)
def _atlas_seen_by(pixel: float, thickness: float) -> HeadAtlas:
    return load_atlas().seen_by(pixel, thickness)


def _write_patient(
    folder: Path, site: int, profile: HospitalProfile, settings: PhantomSettings, number: int
) -> _Written:
    # A patient's bytes depend on seed, site and number only: not on workers or order.
    rng = np.random.default_rng([settings.seed, 1, site, number])
    record = _admit(rng, profile, settings, site, number)
    contrasts = _choose_contrasts(rng, profile, settings)
    has_mask = bool(rng.random() < settings.mask_share)
    grid = _plan(rng, profile, settings)
    atlas = _atlas_seen_by(grid.pixel, grid.thickness)
    head = draw_head(rng, atlas, sex=record.sex, age=record.age, lesion=record.lesion)
    anatomy = sample_anatomy(atlas, head, grid)
    place = folder / record.identifier
    series = [
        write_series(
            place / contrast,
            _scan(np.random.default_rng(rng.integers(2**63)), anatomy, grid, profile, contrast),
            grid=grid,
            patient=record,
            equipment=_equipment(profile, contrast),
            number=position,
        )
        for position, contrast in enumerate(contrasts, start=1)
    ]
    if has_mask:
        write_segmentation(
            place / "segmentation.dcm",
            _labels(anatomy, grid),
            grid=grid,
            patient=record,
            series=series,
        )
    return _Written(record.lesion, contrasts, has_mask)


def _admit(
    rng: np.random.Generator,
    profile: HospitalProfile,
    settings: PhantomSettings,
    site: int,
    number: int,
) -> PatientRecord:
    day = int(rng.integers(1, 29))
    month, year = int(rng.integers(1, 13)), int(rng.integers(2018, 2025))
    return PatientRecord(
        identifier=f"{profile.prefix}-{number + 1:05d}",
        name=f"Phantom^{profile.prefix}{number + 1:05d}",
        sex="M" if rng.random() < profile.male_share else "F",
        age=int(np.clip(round(rng.normal(*profile.age)), 18, 94)),
        study_date=f"{year}{month:02d}{day:02d}",
        study_time=f"{int(rng.integers(7, 19)):02d}{int(rng.integers(60)):02d}00",
        lesion=bool(rng.random() < profile.lesion_share),
        uid_source=("fedscan phantoms", str(settings.seed), str(site), str(number)),
    )


def _choose_contrasts(
    rng: np.random.Generator, profile: HospitalProfile, settings: PhantomSettings
) -> tuple[str, ...]:
    if rng.random() < settings.paired_share:
        return tuple(settings.contrasts)
    weights = dict(zip(("T1", "T2", "CT"), profile.contrast_weights, strict=True))
    chances = np.array([weights[contrast] for contrast in settings.contrasts])
    return (settings.contrasts[int(rng.choice(len(chances), p=chances / chances.sum()))],)


def _plan(
    rng: np.random.Generator, profile: HospitalProfile, settings: PhantomSettings
) -> AxialGrid:
    """Place the slices, roughly as a technician does: never twice the same."""
    low, high = settings.coverage
    gaps = max(settings.slices - 1, 1)
    pixel = profile.field_of_view / settings.matrix
    # A multiple of 0.01 mm, so that the positions in the headers are evenly spaced as well.
    spacing = round((high - low) / gaps * float(rng.normal(1.0, 0.03)), 2)
    start = low if settings.slices > 1 else (low + high) / 2.0
    first = round(start + float(rng.normal(0.0, 3.0)), 2)
    # The same for each patient, like a protocol, so that the atlas is averaged once a hospital.
    thickness = min(profile.slice_thickness, max(0.9 * (high - low) / gaps, 1.0))
    edge = pixel / 2 - profile.field_of_view / 2
    return AxialGrid(
        matrix=settings.matrix,
        pixel=pixel,
        thickness=round(thickness, 1),
        heights=tuple(round(first + spacing * k, 2) for k in range(settings.slices)),
        corner=(edge + 2.0, edge),
    )


def _scan(
    rng: np.random.Generator,
    anatomy: Anatomy,
    grid: AxialGrid,
    profile: HospitalProfile,
    contrast: str,
) -> NDArray[np.float32]:
    if contrast == "CT":
        return ct_image(
            rng,
            hounsfield(anatomy) + headrest(grid) * anatomy.air(),
            noise=profile.ct_noise,
            offset=profile.ct_offset,
            sharpness=profile.ct_sharpness,
        )
    sequence = profile.t1 if contrast == "T1" else profile.t2
    return mr_image(
        rng,
        mr_signal(anatomy, sequence),
        noise=profile.mr_noise,
        bias=profile.mr_bias,
        blur=profile.mr_blur,
    )


def _equipment(profile: HospitalProfile, contrast: str) -> Equipment:
    if contrast == "CT":
        return Equipment(
            contrast,
            profile.manufacturer,
            "Phantom CT",
            f"{profile.prefix}-CT1",
            kernel=profile.ct_kernel,
            tube_voltage=profile.tube_voltage,
        )
    sequence = profile.t1 if contrast == "T1" else profile.t2
    model = f"Phantom MR {sequence.field:g}T"
    return Equipment(
        contrast, profile.manufacturer, model, f"{profile.prefix}-MR1", sequence=sequence
    )


def _labels(anatomy: Anatomy, grid: AxialGrid) -> NDArray[np.uint8]:
    """The label map: the class with the largest share of each voxel, air being background."""
    classes = {
        "body": ("dura", "muscle", "fat", "skin", "vitreous", "lens"),
        "bone": ("cortical", "marrow"),
        "brain": ("grey", "white", "oedema"),
        "fluid": ("fluid",),
        "lesion": ("rim", "core", "scar"),
    }
    shares = np.stack([anatomy.share(*names) for names in classes.values()])
    values = np.array([LABEL[name] for name in classes], np.uint8)
    labels = values[shares.argmax(0)]
    labels = np.where(shares.sum(0) > 0.5, labels, 0).astype(np.uint8)
    # Where a slice only grazes a lesion nobody would see it, and nobody would draw it.
    visible = (labels == LABEL["lesion"]).sum((1, 2)) * grid.pixel**2 >= _VISIBLE_AREA
    labels[(labels == LABEL["lesion"]) & ~visible[:, None, None]] = LABEL["brain"]
    return labels
