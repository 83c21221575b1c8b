"""A table of labels beside a folder: which rows fit, and what they say of an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fedscan.errors import DataError
from fedscan.imaging.labels.cells import finding_words, labels_in, truth_of
from fedscan.imaging.labels.fit import fit_sentences, require_fitting
from fedscan.imaging.labels.source import ImageKeys, ImageLabel, Split
from fedscan.imaging.labels.table import read_table
from fedscan.model.words.tables import shipped_words
from hypothesis import given
from hypothesis import strategies as st

WORDS = shipped_words()
FIND = finding_words(WORDS)


def table(folder: Path, text: str, by: str = ""):
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return read_table(path, WORDS, by)


def shown(label: ImageLabel | None) -> tuple[str, ...] | None:
    """Findings as a caption names them; ``None`` where the header holds."""
    if label is None or label.finding is None:
        return None
    return label.findings or ((label.finding,) if label.finding else ())


def labels(folder: Path, text: str, by: str = "", **keys: str):
    return shown(table(folder, text, by).begin().label(ImageKeys(**{"path": "a.dcm", **keys})))


CHEXPERT = "Path,No Finding,Cardiomegaly,Pneumonia,Pleural Effusion\n"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("1.0,,,", ("no finding",)),
        (",1.0,0.0,", ("cardiomegaly",)),
        (",1,1,", ("pneumonia", "cardiomegaly")),
        # Uncertain is neither a finding nor "no finding".
        (",,-1.0,", ()),
        ("1.0,,-1.0,", ()),
        (",-1,1,", ("pneumonia",)),
        # Not mentioned is not known.
        (",,,", ()),
        (",0.0,0.0,0.0", ()),
    ],
)
def test_columns_of_numbers_say_what_is_there_and_never_what_is_uncertain(
    tmp_path, cells, expected
):
    found = labels(tmp_path, f"{CHEXPERT}train/patient1/a.jpg,{cells}\n", path="patient1/a.dcm")
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("cells", "expected"), [("1", ("fracture",)), ("0", ("no finding",)), ("-1", ()), ("", ())]
)
def test_one_column_that_is_denied_throughout_is_no_finding(tmp_path, cells, expected):
    text = f"image,fracture\na.png,{cells}\nb.png,1\n"
    assert labels(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("Effusion|Mass", {"pleural effusion", "mass"}),
        ("No Finding", {"no finding"}),
        ("Normal", {"no finding"}),
        ("No fracture", {"no finding"}),
        ("possible fracture", set()),
        ("fracture?", set()),
        ("Fracture; possible pneumonia", {"fracture"}),
        ("Bacterial pneumonia", {"pneumonia"}),
        ("history of pneumonia", set()),
        ("S82.1", {"fracture"}),
        ("ICD10:S82.1", {"fracture"}),
        ("['pleural effusion', 'mass']", {"pleural effusion", "mass"}),
        ("Abnormal", {"other finding"}),
        ("unlabelled", set()),
        ("", set()),
        ("low back pain", set()),
    ],
)
def test_labels_are_words_names_or_codes_of_the_vocabulary(tmp_path, cell, expected):
    text = f'Image Index,Finding Labels\na.png,"{cell}"\n'
    assert set(labels(tmp_path, text)) == expected


@pytest.mark.parametrize(
    ("columns", "cells", "expected"),
    [
        # As SPIDER's table has them; each is of a disc or vertebra because the others are.
        ("any_herniation,any_spondylolisthesis,any_modic", "1,1,0", {"disc herniation"}),
        ("any_herniation,max_pfirrmann,any_modic", "0,4,1", {"disc degeneration"}),
        ("stenosis,disc_level", "1,L4/L5", {"spinal stenosis"}),
        # In another table a herniation may be one of the brain, a stenosis one of a vessel.
        ("herniation,haemorrhage", "1,0", set()),
        ("stenosis,calcification", "1,1", {"calcification"}),
    ],
)
def test_short_names_count_where_the_table_is_about_spines(tmp_path, columns, cells, expected):
    found = labels(tmp_path, f"image,{columns}\na,{cells}\n")
    assert set(found or ()) - {"spondylolisthesis", "no finding"} == expected


def test_rows_about_one_image_add_up_and_what_they_contradict_is_not_known(tmp_path):
    text = (
        "image,finding\n1.png,mass\n1.png,fracture\n2.png,no finding\n2.png,mass\n"
        "3.png,fracture\n3.png,no fracture\n"
    )
    labelling = table(tmp_path, text).begin()
    found = [shown(labelling.label(ImageKeys(path=f"{n}.dcm"))) for n in (1, 2, 3)]
    assert (set(found[0]), found[1], found[2]) == ({"mass", "fracture"}, (), ())
    report = labelling.report()
    assert report.conflicts == {
        "images with a finding and with none": 1,
        "images with a finding that is there and not there": 1,
    }
    assert (report.rows, report.matched, report.images) == (6, 6, 3)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("image,1.2.840.1.5", {"image": "1.2.840.1.5"}),
        ("SOPInstanceUID,1.2.840.1.5", {"image": "1.2.840.1.5"}),
        ("image,scan.png", {"path": "deep/scan.dcm"}),
        ("Path,set/train/p1/view1.jpg", {"path": "p1/view1.dcm"}),
        ("image,0007.jpg", {"path": "00007.dcm"}),
        ("series,1.2.3.4", {"series": "1.2.3.4"}),
        ("study_uid,1.2.3", {"study": "1.2.3"}),
        ("Accession Number,A-17", {"accession": "A-17"}),
        ("Patient ID, MÜLLER ", {"patient": "mu\u0308ller"}),
    ],
)
def test_rows_are_matched_by_any_name_of_an_image(tmp_path, name, keys):
    from fedscan.imaging.dicom.files.patient import normal_identifier

    keys = {"path": "x.dcm", **keys}
    if "patient" in keys:
        keys["patient"] = normal_identifier(keys["patient"])
    column, value = name.split(",")
    text = f"{column},finding\n{value},fracture\n"
    assert labels(tmp_path, text, **keys) == ("fracture",)
    assert labels(tmp_path, text, path="other.dcm", image="1.2.9", patient="p9") is None


def test_another_folder_with_a_file_of_the_same_name_is_another_image(tmp_path):
    text = "Path,finding\nset/patient1/view1.jpg,fracture\n"
    assert labels(tmp_path, text, path="patient2/view1.dcm") is None


def test_a_row_that_names_another_patient_than_the_image_is_not_used(tmp_path):
    labelling = table(tmp_path, "image,patient,finding\na.png,p1,fracture\n").begin()
    assert labelling.label(ImageKeys(path="a.dcm", patient="p2")) is None
    report = labelling.report()
    assert report.unmatched == {"is of another patient than the image it names": 1}
    with pytest.raises(DataError, match="of another patient"):
        require_fitting(report)


def test_who_else_is_in_the_folder_changes_no_label(tmp_path):
    text = "image,finding,split\n1.png,fracture,train\n2.png,mass,test\n"
    alone, among = table(tmp_path, text).begin(), table(tmp_path, text).begin()
    mine = ImageKeys(path="p1/1.dcm", patient="p1")
    for other in ("p0/1.dcm", "p2/1.dcm", "p2/2.dcm"):
        among.label(ImageKeys(path=other, patient=other[:2]))
    assert alone.label(mine) == among.label(mine)
    assert alone.split("p1") is among.split("p1") is Split.TRAIN


def test_splits_hold_by_patient_and_a_torn_patient_is_held_out(tmp_path):
    text = "patient,split\na,train\nb,valid\nc,train\nc,Test\nd,\n"
    labelling = table(tmp_path, text).begin()
    for patient in "abcd":
        assert labelling.label(ImageKeys(path=patient, patient=patient)) == ImageLabel()
    sides = [labelling.split(patient) for patient in "abcde"]
    assert sides == [Split.TRAIN, Split.HELD_OUT, Split.HELD_OUT, None, None]
    report = labelling.report()
    assert (report.train, report.held_out) == (1, 2)
    assert report.conflicts == {"patients in both splits": 1}


def test_a_table_without_findings_leaves_the_headers_and_gives_its_text(tmp_path):
    label = table(tmp_path, 'image,report\na.png,"Knee,\nno effusion."\n').begin()
    found = label.label(ImageKeys(path="a.dcm"))
    assert found == ImageLabel(report="Knee, no effusion.")
    assert "Knee" not in repr(found)


def test_what_does_not_fit_is_said_and_rare_texts_are_not_shown(tmp_path):
    rows = "".join(f"x{n}.png,odd word,{n}\n" for n in range(3))
    text = f"image,label,room\na.png,fracture,1\n,mass,2\nb.png,Jane Doe fell,2\n{rows}"
    labelling = table(tmp_path, text).begin()
    labelling.label(ImageKeys(path="a.dcm"))
    labelling.label(ImageKeys(path="none.dcm"))
    report = labelling.report()
    assert (report.matched, report.images_without) == (1, 1)
    assert report.unmatched == {"names nothing": 1, "names what is not here": 4}
    assert report.unknown_columns == ("room",)
    assert report.unknown_words == {"odd word": 3, "(rare or long labels)": 1}
    text = " ".join(fit_sentences(report))
    assert "1 of 6 rows" in text
    assert "Doe" not in text


def test_a_table_that_fits_nothing_is_an_error_that_names_what_would_fit(tmp_path):
    text = "image,patient,finding\nz.png,p1,fracture\n"
    labelling = table(tmp_path, text).begin()
    labelling.label(ImageKeys(path="a.dcm", patient="p1"))
    with pytest.raises(DataError, match="No row of the table") as failure:
        require_fitting(labelling.report())
    assert "--labels-by patient" in failure.value.hint
    assert labels(tmp_path, text, "patient", patient="p1") == ("fracture",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no rows"),
        (b"image,finding\n", "no rows"),
        (b"image,finding\na.png\n", "Row 2 of"),
        (b"what,finding\na,mass\n", "No column"),
        (b"image,image_id,finding\na,b,mass\n", "both say which image"),
        (b"image,finding\na.png,f\xfcr\n", "not text in UTF-8"),
    ],
)
def test_what_is_no_table_is_one_clear_error(tmp_path, content, message):
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_table(path, WORDS)
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "none.csv", WORDS)


@pytest.mark.parametrize("sign", [";", "\t"])
def test_other_signs_between_columns_and_a_byte_order_mark_are_read(tmp_path, sign):
    text = sign.join(("\ufeffimage", "finding")) + "\r\n" + sign.join(("a.png", "mass")) + "\r\n"
    assert labels(tmp_path, text) == ("mass",)


def test_a_changed_cell_is_another_table(tmp_path):
    first = table(tmp_path, "image,finding\na.png,mass\n").digest
    assert table(tmp_path, "image,finding\na.png,fracture\n").digest != first
    assert table(tmp_path, "image,finding\na.png,mass\n").digest == first


@given(cell=st.text(max_size=60))
def test_any_cell_is_read_to_words_of_the_vocabulary_or_told_as_unknown(cell):
    known = {word.word for word in WORDS.of_kind("finding")}
    assert truth_of(cell) is None or cell.strip()
    for word, said in labels_in(cell, FIND):
        assert said is None or word in known


@given(
    cells=st.lists(
        st.tuples(*[st.sampled_from(["1", "0", "-1", ""]) for _ in range(4)]), min_size=1
    )
)
def test_uncertain_is_never_a_finding_nor_none(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("table")
    rows = "".join(f"{n}.png,{','.join(row)}\n" for n, row in enumerate(cells))
    labelling = table(folder, f"image,No Finding,fracture,mass,pneumonia\n{rows}").begin()
    for number, (none, *findings) in enumerate(cells):
        found = set(shown(labelling.label(ImageKeys(path=f"{number}.dcm"))))
        there = {
            word
            for word, cell in zip(("fracture", "mass", "pneumonia"), findings, strict=True)
            if cell == "1"
        }
        assert found <= there | {"no finding"}
        if "no finding" in found:
            assert (none, found, there) == ("1", {"no finding"}, set())
            assert "-1" not in findings


def test_labels_are_laid_onto_every_slice_and_picture(tmp_path, write_volume, write_image):
    from fedscan.imaging.dicom.index import index_folder
    from fedscan.imaging.dicom.summary import summarise
    from fedscan.imaging.examples.series import series_examples
    from fedscan.imaging.settings import DataSettings

    volume = np.random.default_rng(0).integers(0, 900, (4, 16, 16)).astype(np.int16)
    write_volume(tmp_path / "scans" / "ct", volume, PatientID="p1")
    film = np.random.default_rng(1).integers(0, 4000, (16, 16)).astype(np.uint16)
    for number in range(2):
        write_image(tmp_path / "scans" / f"film{number}.dcm", film, Modality="DX", PatientID="p2")
    text = "image,finding\nct/000,mass\nct/003,no finding\nfilm1.png,fracture\n"
    settings = DataSettings(image_size=16)
    index = index_folder(tmp_path / "scans", settings, labels=table(tmp_path, text))
    found = []
    for patient in index.patients:
        for study in patient.studies:
            for series in study.series:
                result = series_examples(
                    tmp_path / "scans", series, settings, labels=patient.labels
                )
                found += [example.description.known_findings for example in result.examples]
    assert found[:4] == [("mass",), (), (), ("no finding",)]
    assert sorted(found[4:]) == [(), ("fracture",)]
    assert sum(slices for _, slices in summarise(index).captions.values()) == 6
    assert "chest X-ray, fracture" in summarise(index).captions
