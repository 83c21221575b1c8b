"""How many patients a study would train on at a site, from headers alone and before it begins."""

from __future__ import annotations

from ...common.progress import Progress, no_progress
from ...imaging.dicom.folder import list_files
from ...imaging.dicom.index import index_files
from ...imaging.labels.fit import require_fitting
from ...imaging.settings import DataSettings
from ...model.words.vocabulary import Vocabulary
from ..data.example_cache import site_index
from ..data.fixed_patients import patients_at_beginning
from ..data.holdout import PatientNumbers, count_patients
from ..data.identity import FILE_NAME, DatasetIdentity
from ..data.opt_out import OptOutList
from ..site import Site
from .opened import site_labels


def patient_numbers(
    site: Site, settings: DataSettings, words: Vocabulary, report: Progress = no_progress
) -> PatientNumbers:
    """Count the patients of a site's data set as a study would.

    Args:
        site: The site, with the data set.
        settings: The study's.
        words: The study's words.
        report: Told how many files are read.

    Raises:
        DataError: If the scans, the table of labels or the opt-out list cannot be used, or the
            labels fit none of the scans.
    """
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
    return count_patients(index, settings.holdout_fraction)


def training_patients(site: Site, study: str, settings: DataSettings, words: Vocabulary) -> int:
    """Count whom a study would train on: of those it began with, if it has begun here.

    Args:
        site: The site, with the data set.
        study: Digest of the study.
        settings: The study's.
        words: The study's words.

    Raises:
        DataError: If the scans, the labels, the opt-out list or the study's list of patients
            cannot be used.
    """
    today = patient_numbers(site, settings, words).training
    began_with = patients_at_beginning(site.patients / f"{study}.json")
    return today if began_with is None else min(today, began_with)
