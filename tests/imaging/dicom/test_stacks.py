"""Random series of every sort come out as the volumes that they were made from."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from dicom_files import dicom_image, save
from fedscan.imaging.dicom.decode import decode_slices
from fedscan.imaging.dicom.index import SiteIndex, index_folder
from fedscan.imaging.dicom.set_aside import Reason
from fedscan.imaging.settings import DataSettings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

#: Rows and columns in LPS, and the way slices follow, of the three planes.
AXES = {
    "axial": ((1, 0, 0), (0, 1, 0)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
}


@dataclass
class Truth:
    """A series that was written: for each volume, value by place."""

    plane: str = "axial"
    volumes: list[dict[int, np.ndarray]] = field(default_factory=list)
    copies: int = 0
    repeated: int = 0


def turned(vector: tuple[int, int, int], degrees: float) -> np.ndarray:
    """Turn a vector around x, as an oblique acquisition or a tilted gantry does."""
    angle = np.deg2rad(degrees)
    x, y, z = vector
    return np.array(
        [x, y * np.cos(angle) - z * np.sin(angle), y * np.sin(angle) + z * np.cos(angle)]
    )


def mark(how: str, phase: int, index: int, count: int) -> dict[str, object]:
    """Header fields that tell a phase from others, for one slice of it."""
    number = {"InstanceNumber": index + 1}
    return {
        "acquisition": {"AcquisitionNumber": phase + 1, **number},
        "temporal": {"TemporalPositionIdentifier": phase + 1, **number},
        "trigger": {"TriggerTime": 30.0 * phase + 0.01 * index, **number},
        "echo": {"EchoTime": 10 + 15 * phase + 0.001 * (index % 3), **number},
        "time": {"AcquisitionTime": f"10{phase:02d}{index:02d}.5", **number},
        "cine": {"AcquisitionTime": f"10{index:02d}{phase:02d}.5", **number},
        "number": {"InstanceNumber": phase * count + index + 1},
    }[how]


@st.composite
def made_series(draw) -> tuple[list[dict[str, object]], Truth]:
    """Draw the headers of a series, with the value of each file, and the truth."""
    truth = Truth(plane=draw(st.sampled_from(sorted(AXES))))
    tilt = draw(st.sampled_from([0.0, 0.0, 12.0, -20.0]))
    sheared = tilt != 0 and truth.plane == "axial" and draw(st.booleans())
    row, column = (turned(vector, tilt) for vector in AXES[truth.plane])
    normal = np.cross(row, column)
    onwards = np.array([0.0, 0.0, 1.0]) if sheared else normal * np.sign(normal.sum())
    step = draw(st.sampled_from([0.7, 2.5, 5.0]))
    form = draw(st.sampled_from(["even", "gap", "two thicknesses", "two types", "passes"]))
    count = draw(st.integers(6 if form == "passes" else 4, 9))
    steps = np.full(count - 1, step)
    if form == "gap":
        steps[draw(st.integers(0, count - 2))] *= draw(st.integers(2, 5))
    if form == "two thicknesses":
        steps[count // 2 :] *= 3
    along = np.concatenate([[0.0], np.cumsum(steps)]) + draw(st.floats(-300, 300))
    stations, phases = draw(st.sampled_from([(1, 1), (2, 1), (3, 1), (1, 2), (1, 3), (2, 2)]))
    how = draw(st.sampled_from(["acquisition", "temporal", "trigger", "echo", "time", "number"]))
    if form == "passes":
        phases = 1
    elif stations == 1 and draw(st.booleans()):
        how = "cine"
    jitter = draw(st.sampled_from([0.0, 1e-5, 2e-3, 2e-2]))
    noise = np.random.default_rng(draw(st.integers(0, 2**16)))
    aside = draw(st.sampled_from([row, column])) * draw(st.sampled_from([40.0, 250.0]))
    whole = how == "cine" or form == "passes"
    lost = None if whole else draw(st.none() | st.integers(0, count - 1))
    files: list[dict[str, object]] = []
    for station in range(stations):
        for phase in range(phases):
            volume: dict[int, np.ndarray] = {}
            for index, height in enumerate(along):
                if index == lost and phase == phases - 1 and station == 0:
                    continue
                position = onwards * height + aside * station - 20 * row - 30 * column
                value = len(files) * 9
                volume[value] = position
                turn = noise.uniform(-1, 1, 6) * min(jitter, 1e-4)
                fields = {
                    "Modality": "MR",
                    "ImagePositionPatient": (position + noise.uniform(-1, 1, 3) * jitter).tolist(),
                    "ImageOrientationPatient": (np.array([*row, *column]) + turn).tolist(),
                    "SliceThickness": float(steps[min(index, count - 2)])
                    if form != "gap"
                    else step,
                    "ImageType": ["ORIGINAL", "PRIMARY", "M"],
                    "StudyDate": "20200101",
                    **mark(how, phase, index, count),
                }
                if form == "two types" and index >= count // 2:
                    fields["ImageType"] = ["ORIGINAL", "PRIMARY", "M", "ADD"]
                if form == "passes":
                    fields["AcquisitionNumber"] = 1 if index < count // 2 else 2
                files.append({"value": value, **fields})
                if form == "passes" and index == count // 2 and station == 0:
                    # The second pass begins where the first one ended.
                    truth.repeated += 1
                    volume[len(files) * 9] = position
                    again = {**fields, "AcquisitionNumber": 1, "value": len(files) * 9}
                    files.append(again)
            truth.volumes.append(volume)
    truth.copies = draw(st.integers(0, 2))
    return files, truth


def index_of(files: list[dict[str, object]], copies: int, folder: Path) -> SiteIndex:
    order = np.random.default_rng(len(files)).permutation(len(files))
    for name, place in enumerate(order):
        fields = dict(files[place])
        pixels = np.full((8, 8), fields.pop("value"), np.int16)
        path = save(dicom_image(pixels, **fields), folder / f"{name:03d}")
        if name < copies:
            (folder / f"copy{name}").write_bytes(path.read_bytes())
    return index_folder(folder, DataSettings())


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(made_series())
def test_a_series_comes_out_as_it_was_made(made):
    files, truth = made
    with tempfile.TemporaryDirectory() as name:
        index = index_of(files, truth.copies, Path(name))
        (series,) = index.patients[0].studies[0].series
        read = [
            decode_slices(
                Path(name), stack.slices, stack.shape, (), values="physical", reduce=lambda i: i
            )
            for stack in series.stacks
        ]
    expected = Counter({Reason.DUPLICATE: truth.copies, Reason.REPEATED: truth.repeated})
    assert index.set_aside == +expected
    assert {stack.description.plane for stack in series.stacks} == {truth.plane}
    assert len(series.stacks) == len(truth.volumes)
    found = []
    for stack, decoded in zip(series.stacks, read, strict=True):
        values = [int(image[0, 0]) for image in decoded.images]
        (whole,) = [volume for volume in truth.volumes if values[0] in volume]
        assert set(values) <= set(whole), "no slice of another volume"
        assert len(values) == len({tuple(position) for position in whole.values()})
        for value, item in zip(values, stack.slices, strict=True):
            np.testing.assert_allclose(item.plane.position, whole[value], atol=0.05)
        depths = [item.plane.depth for item in stack.slices]
        assert all(np.diff(depths) > 0.3)
        found += values
    assert len(found) == len(set(found)) == len(files) - truth.repeated
