"""The anatomical head: what a radiologist would check on it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from fedscan.phantoms.anatomical.atlas import COARSE, load_atlas
from fedscan.phantoms.anatomical.contrast import Sequence, hounsfield, mr_signal
from fedscan.phantoms.anatomical.head import TISSUES
from fedscan.phantoms.anatomical.patient import draw_head
from fedscan.phantoms.anatomical.sampling import AxialGrid, sample_anatomy
from fedscan.phantoms.anatomical.scanner import ct_image, mr_image

T1 = Sequence(2000.0, 3.0, inversion_time=900.0, field=3.0)
T2 = Sequence(4000.0, 100.0)
PIXEL = 4.0
GRID = AxialGrid(64, PIXEL, 5.0, tuple(np.arange(-45.0, 76.0, 10.0)), (-125.0, -126.0))


@pytest.fixture(scope="module")
def atlas():
    return load_atlas().seen_by(GRID.pixel, GRID.thickness)


def patient(atlas, seed, *, age=45, lesion=False, sex="F"):
    head = draw_head(np.random.default_rng(seed), atlas, sex=sex, age=age, lesion=lesion)
    return head, sample_anatomy(atlas, head, GRID)


@pytest.fixture(scope="module")
def healthy(atlas):
    return patient(atlas, 3)[1]


@pytest.fixture(scope="module")
def with_lesions(atlas):
    return [patient(atlas, seed, lesion=True) for seed in range(8)]


def test_tissue_fractions_never_exceed_one_voxel(healthy, with_lesions):
    for anatomy in (healthy, *(anatomy for _, anatomy in with_lesions)):
        assert anatomy.fractions.min() > -1e-4
        assert anatomy.fractions.sum(0).max() < 1.0 + 1e-4


def test_ct_numbers_are_those_of_air_bone_and_brain(healthy):
    hu = hounsfield(healthy)
    assert np.median(hu[:, 0, :]) == pytest.approx(-1000.0)
    assert 25.0 < np.median(hu[healthy.share("grey", "white") > 0.98]) < 42.0
    assert 0.0 < np.median(hu[healthy.share("fluid") > 0.95]) < 15.0
    assert np.percentile(hu[healthy.share("cortical", "marrow") > 0.8], 75) > 600.0
    assert np.median(hu[healthy.share("fat") > 0.8]) < -50.0


def test_fluid_is_dark_in_t1_and_bright_in_t2(healthy):
    t1, t2 = mr_signal(healthy, T1), mr_signal(healthy, T2)
    fluid, grey, white = (healthy.share(name) > 0.9 for name in ("fluid", "grey", "white"))
    assert np.median(t1[fluid]) < np.median(t1[grey]) < np.median(t1[white])
    assert np.median(t2[fluid]) > np.median(t2[grey]) > np.median(t2[white])
    assert np.median(t2[fluid]) > 1.8 * np.median(t2[grey])


@pytest.mark.parametrize("field", [1.0, 1.5, 3.0])
def test_white_matter_is_the_unit_of_mr_signal(healthy, field):
    signal = mr_signal(healthy, Sequence(500.0, 12.0, field=field))
    assert np.median(signal[healthy.share("white") > 0.97]) == pytest.approx(1.0, abs=0.1)


def test_eyes_and_nose_lie_in_front(atlas, healthy):
    eyes = np.argwhere(healthy.share("vitreous", "lens") > 0.3)
    assert len(eyes) > 10
    brain_rows = np.argwhere(healthy.share("grey", "white") > 0.5)[:, 1]
    assert eyes[:, 1].max() < brain_rows.mean()
    assert {True, False} == set((eyes[:, 2] > 31.5).tolist()), "an eye on either side"
    assert eyes[:, 0].max() <= 2, "eyes belong to the lowest slices"


def test_the_skull_encloses_the_brain(healthy):
    middle = 6
    bone = healthy.share("cortical", "marrow")[middle]
    brain = healthy.share("grey", "white")[middle]
    rows, columns = np.nonzero(brain > 0.5)
    for row in range(rows.min(), rows.max() + 1):
        left = bone[row, : columns[rows == row].min()].max()
        right = bone[row, columns[rows == row].max() + 1 :].max()
        assert min(left, right) > 0.5


def test_ventricles_grow_and_the_brain_shrinks_with_age(atlas):
    def volumes(age):
        rooms, brains = [], []
        for seed in range(6):
            anatomy = patient(atlas, seed, age=age)[1]
            centre = anatomy.share("fluid")[4:7, 20:46, 26:38]
            brain = float(anatomy.share("grey", "white").sum())
            rooms.append(float(centre.sum()) / brain)
            brains.append(brain / float(anatomy.share("grey", "white", "fluid").sum()))
        return np.mean(rooms), np.mean(brains)

    (young_rooms, young_brain), (old_rooms, old_brain) = volumes(22), volumes(85)
    assert old_rooms > 1.4 * young_rooms
    assert old_brain < young_brain - 0.03


def test_male_heads_are_larger(atlas):
    def size(sex):
        heads = [patient(atlas, seed, sex=sex)[1] for seed in range(4)]
        return np.mean([head.fractions.sum() for head in heads])

    assert size("M") > 1.03 * size("F")


@pytest.mark.parametrize("age", [20, 60, 90])
def test_deformations_do_not_fold_the_brain(atlas, age):
    head = draw_head(np.random.default_rng(age), atlas, sex="M", age=age, lesion=True)
    slopes = np.stack([np.stack(np.gradient(axis, COARSE)) for axis in head.displacement])
    jacobian = np.linalg.det(np.moveaxis(slopes, (0, 1), (-2, -1)) + np.eye(3))
    assert np.percentile(jacobian, 1) > 0.3
    assert (jacobian < 0.0).mean() < 2e-3


def test_patients_differ(atlas, healthy):
    other = patient(atlas, 4)[1]
    difference = np.abs(mr_signal(other, T1) - mr_signal(healthy, T1))
    assert difference.mean() > 0.05


def test_lesions_are_large_enough_and_inside_the_brain(with_lesions):
    for head, anatomy in with_lesions:
        assert head.lesions
        for lesion in head.lesions:
            assert min(lesion.radii) >= 8.0
            assert max(lesion.radii) <= 20.0
        lesion = anatomy.share("rim", "core", "scar") > 0.5
        assert lesion.sum() * PIXEL**2 > 150.0
        skin = anatomy.share("skin", "fat", "cortical")
        assert skin[lesion].max() < 0.4


@pytest.mark.parametrize("contrast", ["T1", "T2", "CT"])
def test_lesions_stand_out_against_noise(with_lesions, contrast):
    ratios = []
    for number, (_, anatomy) in enumerate(with_lesions):
        rng = np.random.default_rng(number)
        if contrast == "CT":
            clean = hounsfield(anatomy)
            image = ct_image(rng, clean, noise=4.5, offset=0.0, sharpness=0.0)
        else:
            clean = mr_signal(anatomy, T1 if contrast == "T1" else T2)
            image = mr_image(rng, clean, noise=0.05, bias=0.0, blur=0.0)
        lesion = anatomy.share("rim", "core", "scar") > 0.6
        brain = anatomy.share("grey", "white") > 0.95
        noise = np.std((image - clean)[brain])
        # A dense rim and a soft centre both stand out, to either side of brain.
        ratios.append(np.abs(image[lesion] - np.median(image[brain])).mean() / noise)
    assert min(ratios) > 2.0
    assert np.median(ratios) > 3.0


def test_rician_noise_leaves_no_negative_values_and_a_floor_in_air(healthy):
    signal = mr_signal(healthy, T1)
    image = mr_image(np.random.default_rng(0), signal, noise=0.04, bias=0.0, blur=0.0)
    air = image[healthy.air() > 0.999]
    assert image.min() >= 0.0
    # The mean of Rayleigh distributed noise is sigma times the root of pi over two.
    assert air.mean() == pytest.approx(0.04 * np.sqrt(np.pi / 2.0), rel=0.03)


def test_kernels_sharpen_and_smooth(healthy):
    clean = hounsfield(healthy)

    def edge(sharpness):
        image = ct_image(
            np.random.default_rng(0), clean, noise=0.0, offset=0.0, sharpness=sharpness
        )
        return np.abs(np.diff(np.clip(image, -100.0, 200.0), axis=2)).mean()

    assert edge(-0.6) < edge(0.0) < edge(0.5)


def test_calibration_error_spares_air(healthy):
    clean = hounsfield(healthy)
    image = ct_image(np.random.default_rng(0), clean, noise=0.0, offset=5.0, sharpness=0.0)
    assert image[0, 0, 0] == pytest.approx(-1000.0)
    brain = healthy.share("grey", "white") > 0.9
    assert (image - clean)[brain] == pytest.approx(5.0, abs=0.1)


def test_texture_comes_from_the_template_and_stays_within_the_brain(atlas):
    assert np.abs(atlas.texture).max() > 0.1
    brain = atlas.tissues[[TISSUES.index(name) for name in ("grey", "white")]].sum(0)
    assert np.abs(atlas.texture[brain < 0.01]).max() < 0.05


def test_the_template_is_nilearns_and_nilearn_need_not_be_imported():
    code = """
import sys
import numpy as np
from fedscan.phantoms.anatomical.template import _read
read = {shows: _read(shows) for shows in ("t1", "gm", "wm")}
assert "nilearn" not in sys.modules and "sklearn" not in sys.modules
from nilearn import datasets
for shows, name in (("t1", ""), ("gm", "gm_"), ("wm", "wm_")):
    image = getattr(datasets, f"load_mni152_{name}template")()
    assert np.array_equal(read[shows][0], image.get_fdata(dtype=np.float32))
    assert np.array_equal(read[shows][1], image.affine)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
