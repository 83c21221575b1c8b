"""Real anatomy, where it is at hand: heads up, livers right, spines at the back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fedscan.client.data.dataset import SiteDataset
from fedscan.imaging.settings import DataSettings
from fedscan.model.intensity import percentile_to_model

DATA = Path(__file__).parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="real images are not at hand")

_FINDINGS = {
    "No finding": "no finding",
    "Other pneumonia": "pneumonia",
    "COVID-19": "COVID-19",
    "Other": "other finding",
    "unlabelled": "",
}


def test_chest_x_rays_keep_their_pixels_patients_views_and_findings(tmp_path, write_image):
    data = np.load(DATA / "chest_xray_64.npz")
    chosen = range(0, 750, 15)
    for i in chosen:
        write_image(
            tmp_path / "scans" / str(i),
            data["images"][i],
            Modality="DX",
            PatientID=str(data["patient_ids"][i]),
            SeriesInstanceUID=f"1.2.{i}",
            ViewPosition="PA" if data["view"][i] == "PA" else "AP",
            StudyDescription=f"Chest X-ray, {data['labels'][i]}",
            InstanceNumber=i,
        )
    dataset = SiteDataset.open(tmp_path / "scans", DataSettings(), tmp_path / "cache")
    assert len(dataset.patients) == len({data["patient_ids"][i] for i in chosen})
    expected = {
        percentile_to_model(data["images"][i]).round(3).tobytes(): (
            "PA" if data["view"][i] == "PA" else "AP",
            _FINDINGS[data["labels"][i]],
        )
        for i in chosen
    }
    found = [example for key in dataset.patients for example in dataset.examples(key)]
    assert len(found) == len(expected)
    for example in found:
        what = example.description
        assert what.body_part == "chest"
        near = [
            value
            for pixels, value in expected.items()
            if np.allclose(np.frombuffer(pixels, np.float32), example.image.ravel(), atol=2e-3)
        ]
        assert near == [(what.view, what.finding)]


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
def test_a_real_abdomen_lies_as_a_radiologist_expects(tmp_path, write_volume, axes):
    data = np.load(DATA / "abdomen_ct_mr_volumes.npz")
    # Stored to right, front, head; wanted to head, back, left.
    volume = np.transpose(data["ct_full_hu"], (2, 1, 0))[::2, ::-2, ::-2]
    write_volume(
        tmp_path / "scans",
        np.ascontiguousarray(volume),
        axes=axes,
        flips=(True, False, True),
        spacing=(6.0, 6.0, 6.0),
        BodyPartExamined="ABDOMEN",
    )
    settings = DataSettings(planes="all")
    dataset = SiteDataset.open(tmp_path / "scans", settings, tmp_path / "cache")
    examples = [example for key in dataset.patients for example in dataset.examples(key)]

    def bone(plane: str) -> np.ndarray:
        """Where bone is in the middle slices of a plane, ``[H, W]``."""
        middle = [
            e for e in examples if e.description.plane == plane and abs(e.position - 0.5) < 0.2
        ]
        return np.mean([e.image > 0.65 for e in middle], axis=0)

    rows, columns = np.mgrid[-1:1:64j, -1:1:64j]
    assert (bone("axial") * rows).sum() / bone("axial").sum() > 0.1, "the spine is at the back"
    assert (bone("sagittal") * columns).sum() / bone("sagittal").sum() > 0.1
    # The pelvis is wider than the spine above it.
    wide = (bone("coronal") > 0.05).sum(1)
    assert wide[40:].max() > wide[:24].max()
    # Liver fills the patient's right at the top: denser than the bowel and lung at the left.
    top = [e.image for e in examples if e.description.plane == "axial" and e.position > 0.85]
    dense = np.mean([image > 0.1 for image in top], axis=0)
    assert dense[:, :32].sum() > dense[:, 32:].sum()
