import numpy as np
from fedscan.evaluation.measures.image_sets import ImageSet, RealSets
from fedscan.evaluation.measures.tasks import choose_tasks, patients_per_class
from fedscan.model.description import Description
from fedscan.model.example import Example


def images(prefix, *descriptions, patients=3):
    blank = np.zeros((4, 4), np.float32)
    return ImageSet.of(
        (f"{prefix}{index}-{patient}", Example(image=blank, description=description))
        for index, description in enumerate(descriptions)
        for patient in range(patients)
    )


def chosen(*descriptions, need=3, patients=3):
    sets = RealSets(
        train=images("t", *descriptions, patients=patients),
        holdout=images("h", *descriptions, patients=patients),
    )
    return {task.key: task for task in choose_tasks(sets, min_patients_per_class=need)}


def head(modality, finding=""):
    return Description(modality=modality, body_part="head", finding=finding)


def chest(finding):
    return Description(modality="X-ray", body_part="chest", finding=finding)


def test_heads_give_lesion_and_contrast():
    found = chosen(
        head("CT", "lesion"), head("T1-weighted MR", "no finding"), head("T2-weighted MR", "lesion")
    )
    assert set(found) == {"lesion", "contrast"}
    assert found["contrast"].classes == ("T1-weighted MR", "T2-weighted MR", "CT")


def test_without_ct_the_weightings_remain():
    assert set(chosen(head("T1-weighted MR"), head("T2-weighted MR"))) == {"weighting"}


def test_chests_prefer_pneumonia_and_fall_back():
    assert set(chosen(chest("no finding"), chest("pneumonia"), chest("COVID-19"))) == {"pneumonia"}
    assert set(chosen(chest("no finding"), chest("COVID-19"))) == {"covid-19"}


def test_too_few_patients_and_single_classes_give_no_task():
    assert not chosen(chest("no finding"), chest("pneumonia"), need=4)
    assert not chosen(chest("no finding"))
    assert not chosen(chest(""))


def test_labels_and_patients_per_class():
    sets = images("t", chest("pneumonia"), chest(""), chest("no finding"))
    task = choose_tasks(
        RealSets(train=sets, holdout=images("h", *sets.descriptions)), min_patients_per_class=2
    )[0]
    assert task.labels(sets.descriptions).tolist() == [1] * 3 + [-1] * 3 + [0] * 3
    assert patients_per_class(task, sets) == (3, 3)
    assert task.title == "no finding against pneumonia"
