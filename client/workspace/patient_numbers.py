"""How many patients a study would train on at a site, before it begins."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from ...common.progress import Progress, no_progress
from ...imaging.dicom.folder import list_files
from ...imaging.dicom.index import PatientScans, SiteIndex, index_files
from ...imaging.dicom.quiet import quiet_pydicom
from ...imaging.examples.series import series_examples
from ...imaging.labels.fit import require_fitting
from ...imaging.settings import DataSettings
from ...model.words.vocabulary import Vocabulary
from ..data.example_cache import site_index
from ..data.example_origin import stored_examples
from ..data.fixed_patients import patients_at_beginning
from ..data.holdout import PatientNumbers, count_patients, training_scans
from ..data.identity import FILE_NAME, DatasetIdentity
from ..data.opt_out import OptOutList
from ..site import Site
from .opened import site_labels

#: Slices of a series that are looked at first.
_FEW = 3
#: Seconds after which no further patient is looked at: a coordinator waits for the answer.
_PATIENCE_S = 60.0


def patient_numbers(
    site: Site, settings: DataSettings, words: Vocabulary, report: Progress = no_progress
) -> PatientNumbers:
    """Count the patients of a site's data set as a study would, by their headers.

    Args:
        site: The site, with the data set.
        settings: The study's.
        words: The study's words.
        report: Told how many files are read.

    Raises:
        DataError: If the scans, the table of labels or the opt-out list cannot be used, or the
            labels fit none of the scans.
    """
    return count_patients(_index(site, settings, words, report), settings.holdout_fraction)


def training_patients(
    site: Site, study: str, settings: DataSettings, words: Vocabulary, *, least: int
) -> int:
    """Count whom a study would train on: of those it began with, if it has begun here.

    Headers do not say that an image is blank. Before a study begins, so many patients are looked
    at as it takes to see that enough of them show something; if too few do, only those count.

    Args:
        site: The site, with the data set.
        study: Digest of the study.
        settings: The study's.
        words: The study's words.
        least: How many are enough.

    Raises:
        DataError: If the scans, the labels, the opt-out list or the study's list of patients
            cannot be used.
    """
    index = _index(site, settings, words, no_progress)
    training = training_scans(index, settings.holdout_fraction)
    began_with = patients_at_beginning(site.patients / f"{study}.json")
    if began_with is not None:
        return min(len(training), began_with)
    if len(training) < least:
        return len(training)
    return _showing_something(site, training, settings, words, least)


def _showing_something(
    site: Site,
    training: Sequence[PatientScans],
    settings: DataSettings,
    words: Vocabulary,
    least: int,
) -> int:
    """Return all patients if enough of them show something, else how many do."""
    has_identity = (site.state / FILE_NAME).exists()
    identity = DatasetIdentity.load_or_create(site.state) if has_identity else None
    end, count = time.monotonic() + _PATIENCE_S, 0
    with quiet_pydicom():
        for scans in training:
            count += _shows(site, scans, settings, words, identity)
            # Who is not looked at in this time is believed.
            if count >= least or time.monotonic() > end:
                return len(training)
    return count


def _shows(
    site: Site,
    scans: PatientScans,
    settings: DataSettings,
    words: Vocabulary,
    identity: DatasetIdentity | None,
) -> bool:
    if identity is not None:
        count = stored_examples(scans, settings, words, site.cache, identity)
        if count is not None:
            return count > 0
    # A few slices from the middle nearly always say it; where they are blank, all are looked at.
    few = replace(settings, planes="native", max_slices_per_series=_FEW)
    series = [one for study in scans.studies for one in study.series]
    return any(
        series_examples(site.data, one, look, labels=scans.labels).examples
        for look in (few, settings)
        for one in series
    )


def _index(site: Site, settings: DataSettings, words: Vocabulary, report: Progress) -> SiteIndex:
    labels, opt_outs = site_labels(site, words), OptOutList.read(site.opt_outs)
    # Headers are remembered under a key of the data set's identity, which only training may draw:
    # a new one beside an old ledger would be a new budget.
    if (site.state / FILE_NAME).exists():
        identity = DatasetIdentity.load_or_create(site.state)
        index = site_index(
            site.data,
            settings,
            words,
            site.cache,
            identity,
            labels=labels,
            opt_outs=opt_outs,
            report=report,
        )
    else:
        index = index_files(
            site.data,
            list_files(site.data),
            settings,
            words=words,
            labels=labels,
            opted_out=opt_outs.has,
            progress=report,
        )
    require_fitting(index.labels)
    return index
