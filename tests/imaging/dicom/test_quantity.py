"""What is no Hounsfield unit is not read as one, and a map is no weighted image."""

from __future__ import annotations

import numpy as np
import pytest
from fedscan.imaging.dicom.describe import describe
from fedscan.imaging.dicom.frames.functional_groups import flat_headers
from fedscan.imaging.dicom.index import index_folder
from fedscan.imaging.dicom.quantity import is_hounsfield
from fedscan.imaging.dicom.set_aside import Reason
from fedscan.imaging.settings import DataSettings
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

AXIAL = ["ORIGINAL", "PRIMARY", "AXIAL"]


def header(**fields: object) -> Dataset:
    ds = Dataset()
    good = {
        "Modality": "CT",
        "ImageType": AXIAL,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "PixelRepresentation": 0,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "RescaleType": "HU",
    }
    for keyword, value in {**good, **fields}.items():
        if value is not None:
            setattr(ds, keyword, value)
    return ds


def item(**fields: object) -> Sequence:
    ds = Dataset()
    for keyword, value in fields.items():
        setattr(ds, keyword, value)
    return Sequence([ds])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"RescaleType": None},
        {"RescaleType": "hu"},
        {"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"]},
        {"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "VMI"], "SeriesDescription": "Mono 70 keV"},
        {"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "MAT_REMOVED"]},
        {"ImageType": [*AXIAL, "CT_SOM5 SPI"], "SeriesDescription": "CT Perfusion 5.0 H20f"},
        {"PixelRepresentation": 1, "BitsStored": 16, "RescaleIntercept": 0},
        {"PixelRepresentation": 1, "BitsStored": 16, "RescaleIntercept": -8192},
        {"SeriesDescription": "Thorax with iodine contrast 1.0 B70f"},
    ],
)
def test_scans_in_hounsfield_units_are_read(fields):
    assert is_hounsfield(header(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"RescaleSlope": None, "RescaleIntercept": None, "RescaleType": None},
        {"RescaleSlope": None},
        {"RescaleIntercept": None},
        {"RescaleSlope": 0},
        {"RescaleSlope": -1},
        {"RescaleSlope": 1e-4},
        {"RescaleSlope": 1000},
        {"RescaleIntercept": 0},  # unsigned: no air in it
        {"RescaleIntercept": 1e6},
        {"RescaleIntercept": -1e6},
        {"RescaleType": "US"},
        {"RescaleType": "MGML"},
        {"RescaleType": "PCT"},
        {"RescaleType": "HU_MOD"},
        {"ImageType": ["DERIVED", "PRIMARY", "PERFUSION", "RCBF"]},
        {"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "GSI MD"]},
        {"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "MAT_SPECIFIC"]},
        {"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "EFF_ATOMIC_NUM"]},
        {"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "ELECTRON_DENSITY"]},
        {"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 TMAX"]},
        {"ImageType": ["DERIVED", "PRIMARY", "VOLUME", "SUBTRACTION"]},
        {"FrameType": ["DERIVED", "PRIMARY", "VOLUME", "STD_DEVIATION"]},
        {"SeriesDescription": "Perfusion MTT"},
        {"SeriesDescription": "GSI Iodine(Water)"},
        {"SeriesDescription": "Iodine map 1.5 Q30f"},
        {"SeriesDescription": "Rho/Z"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.30"},
        {"ModalityLUTSequence": item(ModalityLUTType="OD")},
    ],
)
def test_other_values_are_not(fields):
    assert not is_hounsfield(header(**fields))


@given(
    slope=st.floats(0.25, 4),
    intercept=st.integers(-1100, -900),
    bits=st.sampled_from([12, 14, 16]),
    signed=st.booleans(),
)
def test_any_usual_rescale_leads_to_hounsfield_units(slope, intercept, bits, signed):
    ds = header(RescaleSlope=slope, RescaleIntercept=intercept, BitsStored=bits)
    ds.PixelRepresentation = int(signed)
    assert is_hounsfield(ds) == ((2 ** (bits - signed) - 1) * slope + intercept >= 300)


def test_series_are_set_aside_under_a_reason_of_their_own(tmp_path, write_image):
    pixels = np.full((16, 16), 40, np.int16)
    kinds = [
        {"RescaleSlope": None},
        {"RescaleType": "MGML"},
        {"ImageType": ["DERIVED", "PRIMARY", "PERFUSION", "RCBV"]},
    ]
    for number, fields in enumerate(kinds):
        write_image(tmp_path / str(number), pixels, PatientID=str(number), **fields)
    index = index_folder(tmp_path, DataSettings())
    assert index.patients == ()
    assert index.set_aside == {Reason.NOT_HOUNSFIELD: 3}
    assert Reason.NOT_HOUNSFIELD.value == "values are not Hounsfield units"


T1_TIMING = {"ScanningSequence": "SE", "RepetitionTime": 500, "EchoTime": 10}


def mr(**fields: object) -> Dataset:
    ds = header(Modality="MR", RescaleType=None, ImageType=["ORIGINAL", "PRIMARY", "M", "ND"])
    for keyword, value in {**T1_TIMING, **fields}.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"ImageType": ["ORIGINAL", "PRIMARY", "M_SE", "M", "SE"], "RescaleType": "normalized"},
        {"ImageType": ["DERIVED", "PRIMARY", "MPR", "NORM", "DIS2D"]},
        {"SeriesDescription": "Ax T1 portal venous phase"},
        {"SeriesDescription": "T1 in phase"},
        {"ComplexImageComponent": "MAGNITUDE"},
        {"FrameType": ["ORIGINAL", "PRIMARY", "T1", "NONE"]},
        {"RealWorldValueMappingSequence": item(MeasurementUnitsCodeSequence=item(CodeValue="1"))},
    ],
)
def test_weighted_images_keep_their_weighting(fields):
    assert describe(mr(**fields)).modality == "T1-weighted MR"


@pytest.mark.parametrize(
    "fields",
    [
        {"ImageType": ["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "VELOCITY MAP", "P", "PCA"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "I_FFE", "I", "FFE"]},
        {"ImageType": ["DERIVED", "PRIMARY", "ADC", "ND"]},
        {"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC_UNSPECIFIED"]},
        {"ImageType": ["DERIVED", "PRIMARY", "T1 MAP", "T1", "UNSPECIFIED"]},
        {"ImageType": ["DERIVED", "PRIMARY", "T2_MAP"]},
        {"ImageType": ["DERIVED", "PRIMARY", "R2_STAR MAP"]},
        {"ImageType": ["DERIVED", "PRIMARY", "M", "FIELD_MAP"]},
        {"ImageType": ["DERIVED", "PRIMARY", "PERFUSION", "RCBV"]},
        {"FrameType": ["DERIVED", "PRIMARY", "DIFFUSION", "QUANTITY"]},
        {"ComplexImageComponent": "PHASE"},
        {"SeriesDescription": "ep2d_diff_ADC"},
        {"SeriesDescription": "SWI_Pha_Images"},
        {"SeriesDescription": "T1Map_MOLLI"},
        {"SeriesDescription": "Cardiac T2* map"},
        {"SeriesDescription": "gre_field_mapping phase map"},
        {"SeriesDescription": "Apparent Diffusion Coefficient"},
        {"RescaleType": "milliradials"},
        {"RescaleType": "ms"},
        {"RealWorldValueMappingSequence": item(MeasurementUnitsCodeSequence=item(CodeValue="ms"))},
        {
            "RealWorldValueMappingSequence": item(
                MeasurementUnitsCodeSequence=item(CodeValue="um2/s")
            )
        },
        {"AcquisitionContrast": "T1", "SeriesDescription": "T1 map"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.30"},
    ],
)
def test_phases_and_maps_are_not_called_weighted(fields):
    assert describe(mr(**fields)).modality == "MR"


@pytest.mark.parametrize("shared", [True, False])
def test_a_map_may_be_told_for_each_frame(shared):
    ds, group = mr(FrameType=["DERIVED", "PRIMARY", "T1", "NONE"]), Dataset()
    unit = item(MeasurementUnitsCodeSequence=item(CodeValue="ms"))
    group.RealWorldValueMappingSequence = unit
    ds.SharedFunctionalGroupsSequence = Sequence([group if shared else Dataset()])
    ds.PerFrameFunctionalGroupsSequence = Sequence([Dataset() if shared else group])
    (frame,) = flat_headers(ds)
    assert describe(frame).modality == "MR"
    del group.RealWorldValueMappingSequence
    (frame,) = flat_headers(ds)
    assert describe(frame).modality == "T1-weighted MR"


@pytest.mark.parametrize(("kind", "modality"), [(0, "T1-weighted MR"), (1, "MR"), (3, "MR")])
def test_a_phase_that_only_a_private_element_names(
    tmp_path, make_image, save_dicom, kind, modality
):
    ds = make_image(np.full((16, 16), 40, np.int16), Modality="MR", **T1_TIMING)
    ds.add_new(0x00430010, "LO", "GEMS_PARM_01")
    ds.add_new(0x0043102F, "SS", kind)
    save_dicom(ds, tmp_path / "a")
    (patient,) = index_folder(tmp_path, DataSettings()).patients
    assert patient.studies[0].series[0].stacks[0].description.modality == modality
