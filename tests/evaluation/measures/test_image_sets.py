from collections import Counter

import numpy as np
import pytest
from fedscan.errors import DataError
from fedscan.evaluation.measures.image_sets import ImageSet, RealSets
from fedscan.model.description import Description
from fedscan.model.example import Example
from hypothesis import given
from hypothesis import strategies as st


def example(value=0.0, size=4):
    return Example(
        image=np.full((size, size), value, np.float32), description=Description(modality="CT")
    )


def test_a_patient_on_both_sides_is_refused(real):
    with pytest.raises(DataError, match="held out: 1 patient"):
        RealSets(train=real.train, holdout=ImageSet.of([("train0", example(size=32))]))


def test_no_images_and_mixed_shapes_are_refused():
    with pytest.raises(DataError, match="no real images"):
        ImageSet.of([])
    with pytest.raises(DataError, match="differ in shape"):
        ImageSet.of([("a", example(size=4)), ("b", example(size=5))])


@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    limit=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_thinning_takes_patients_in_turns_and_keeps_the_order(counts, limit, seed):
    keys = [f"p{patient}" for patient, count in enumerate(counts) for _ in range(count)]
    images = ImageSet.of((key, example(index)) for index, key in enumerate(keys))
    kept = images.thin(limit, seed)
    stream = ((key, example(index)) for index, key in enumerate(keys))
    streamed = ImageSet.of(stream, limit=limit, seed=seed)
    assert np.array_equal(streamed.images, kept.images)
    assert len(kept) == min(limit, len(keys))
    values = kept.images[:, 0, 0]
    assert list(values) == sorted(values)
    assert all(keys[int(value)] == key for value, key in zip(values, kept.patients, strict=True))
    taken = Counter(kept.patients)
    most = max(taken.values())
    # Nobody gives a second image more than others while they still have unused ones.
    for patient, count in enumerate(counts):
        assert taken[f"p{patient}"] >= min(count, most - 1)


def test_every_image_has_the_same_chance_of_its_turn():
    """Later patients are no likelier to be kept than earlier ones."""
    pairs = [(f"p{patient}", example(patient)) for patient in range(12) for _ in range(2)]
    taken = Counter(
        patient
        for seed in range(300)
        for patient in ImageSet.of(pairs, limit=4, seed=seed).patients
    )
    assert len(taken) == 12
    assert all(60 < count < 140 for count in taken.values()), taken  # 100 expected
