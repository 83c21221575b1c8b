"""What is in a data set, by its headers: what would be used, what is set aside, which words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...common.progress import Progress, no_progress
from ...imaging.dicom.folder import list_files
from ...imaging.dicom.index import index_files
from ...imaging.dicom.summary import IndexSummary, shared_sentence, summarise
from ...imaging.labels.fit import fit_sentences
from ...imaging.labels.table import read_table
from ...imaging.settings import DataSettings
from ...model.storage import base_folder
from ...model.words.tables import read_vocabulary
from ..data.holdout import PatientNumbers, count_patients
from ..policy import load_policy
from .data_sets import Registry
from .home import SiteHome
from .opt_outs import require_list


@dataclass(frozen=True, kw_only=True)
class DataSetContents:
    """What a data set has, in exact numbers: for the site's own eyes.

    Attributes:
        summary: What is used and set aside, and the words that it would teach.
        patients: How many patients a study with default settings would train on.
        sentences: The same and what is doubtful, in sentences.
    """

    summary: IndexSummary
    patients: PatientNumbers
    sentences: tuple[str, ...]


def look_into(home: SiteHome, name: str, *, report: Progress = no_progress) -> DataSetContents:
    """Read a data set's headers as a study with default settings would; nothing is written.

    Patients who opted out are left out.

    Args:
        home: The site's home.
        name: Name of the data set.
        report: Told how many files are read.

    Raises:
        DataError: If there is no such data set, or its scans, its table or the list of those who
            opted out cannot be read.
    """
    entry, settings = Registry(home).get(name), DataSettings()
    folder = Path(entry.folder)
    words = read_vocabulary(base_folder(home.settings().base))
    table = read_table(Path(entry.labels), words, entry.labels_by) if entry.labels else None
    index = index_files(
        folder,
        list_files(folder),
        settings,
        words=words,
        labels=table,
        opted_out=require_list(home).has,
        progress=report,
    )
    summary, numbers = summarise(index), count_patients(index, settings.holdout_fraction)
    sentences = [numbers.sentence(settings.holdout_fraction)]
    least = load_policy(home.policy_of(name)).min_patients
    if numbers.training < least:
        sentences.append(f"The site's policy asks for {least} (min_patients).")
    if summary.shared_studies:
        sentences.append(shared_sentence(summary.shared_studies))
    if summary.labels:
        sentences += fit_sentences(summary.labels, before_study=True)
    return DataSetContents(summary=summary, patients=numbers, sentences=tuple(sentences))
