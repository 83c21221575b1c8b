"""What fedscan makes of the DICOM files that other packages ship, as a page of the docs.

Run it to write the page anew: ``python tests/helpers/shipped_files.py > docs/shipped-files.md``.
"""

from __future__ import annotations

import importlib.metadata
from collections import Counter, defaultdict
from importlib.util import find_spec
from pathlib import Path

from fedscan.imaging.dicom.folder import FileEntry
from fedscan.imaging.dicom.index import index_files
from fedscan.imaging.examples.series import series_examples
from fedscan.imaging.settings import DataSettings

#: Packages with the version that the page is about, and the folders that they ship.
PACKAGES = {
    "pydicom": ("3.0.2", ("pydicom/data/test_files", "pydicom/data/charset_files")),
    "pydicom-data": ("1.0.0", ("data_store/data",)),
}
_NOT_DICOM = (".py", ".pyc", ".md", ".txt", ".json", ".zip", ".toml", ".gz")
_SETTINGS = DataSettings(image_size=16, burned_in="refuse_marked", colour="luminance")

_HEAD = """\
# What is made of the files that pydicom ships

pydicom and pydicom-data ship DICOM files, many of them odd or broken, for tests. This page says
what fedscan reads of them and what it sets aside and why, each file on its own, with colour images
and ultrasound let in (`data.colour = "luminance"`, `data.burned_in = "refuse_marked"`). The package
highdicom ships none. A test compares the page with what happens
(`pytest tests/imaging/dicom/test_shipped_files.py`).
"""


def installed(package: str) -> bool:
    """Whether a package is there in the version that the page is about."""
    try:
        return importlib.metadata.version(package) == PACKAGES[package][0]
    except importlib.metadata.PackageNotFoundError:
        return False


def fate_of(path: Path) -> str:
    """Say what is read of one file, or why nothing is."""
    status = path.stat()
    entry = FileEntry(path.name, status.st_size, status.st_mtime_ns)
    index = index_files(path.parent, [entry], _SETTINGS)
    reasons = Counter(index.set_aside)
    seen: Counter[str] = Counter()
    for patient in index.patients:
        for study in patient.studies:
            for series in study.series:
                made = series_examples(path.parent, series, _SETTINGS)
                reasons.update(made.set_aside)
                for stack in series.stacks:
                    seen[stack.description.modality] += len(made.examples)
    for modality, count in seen.items():
        if count:
            return f"read: {modality}, {'one image' if count == 1 else 'several images'}"
    return ", ".join(sorted(reason.value for reason in reasons)) or "nothing"


def fates(package: str) -> dict[str, list[str]]:
    """Return the files of a package by what becomes of them."""
    found: dict[str, list[str]] = defaultdict(list)
    for folder in PACKAGES[package][1]:
        (root,) = find_spec(folder.split("/")[0]).submodule_search_locations
        for path in sorted((Path(root).parent / folder).rglob("*")):
            if path.is_file() and path.suffix not in _NOT_DICOM:
                found[fate_of(path)].append(path.name)
    return found


def page(package: str) -> str:
    """Return the part of the page that is about one package."""
    title = f"## {package} {PACKAGES[package][0]}"
    rows = [title, "", "| What becomes of it | Files |", "|---|---|"]
    by_fate = sorted(fates(package).items(), key=lambda one: (not one[0].startswith("read"), one))
    for fate, names in by_fate:
        listed = ", ".join(f"`{name}`" for name in sorted(set(names)))
        rows.append(f"| {fate} ({len(names)}) | {listed} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(
        "\n".join([_HEAD, *(page(package) for package in PACKAGES if installed(package))]), end=""
    )
