import json

import pytest
from fedscan.errors import DataError
from fedscan.evaluation.measures.results import (
    Distances,
    EvaluationResult,
    GalleryGroup,
    GalleryStrip,
    GeneratorScores,
    Interval,
    Memorisation,
    RealScores,
    Reconstruction,
    TaskInfo,
    TaskUtility,
)
from fedscan.evaluation.report.results import (
    GeneratorInfo,
    Mechanism,
    RoundStep,
    RunResults,
    SitePrivacy,
    SiteReport,
    SiteRound,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

values = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 10**9)
words = st.text(max_size=8)
setting = st.one_of(st.booleans(), st.integers(-(10**9), 10**9), values, words)


def many(items):
    return st.lists(items, max_size=2).map(tuple)


def built(kind, **changes):
    """Build a results class from its annotations, with the given strategies for the rest."""
    plain = {
        "str": words,
        "int": counts,
        "int | None": st.none() | counts,
        "Finite": values,
        "Finite | None": st.none() | values,
    }
    fields = {
        name: changes.get(name, plain.get(annotation))
        for name, annotation in kind.__annotations__.items()
        if name != "schema"
    }
    return st.builds(kind, **fields)


interval = built(Interval)
utility = built(
    TaskUtility,
    auc=interval,
    accuracy=interval,
    seed_aucs=many(values),
    auc_of_real=st.none() | interval,
    accuracy_of_real=st.none() | interval,
)
distances = built(Distances)
group = built(
    GalleryGroup, captions=many(words), strips=many(built(GalleryStrip, synthetic=st.booleans()))
)
evaluations = built(
    EvaluationResult,
    settings=st.dictionaries(words, setting, max_size=3),
    tasks=many(
        built(
            TaskInfo,
            classes=many(words),
            holdout_images=many(counts),
            holdout_patients=many(counts),
        )
    ),
    real=built(RealScores, distances=distances, utility=many(utility)),
    generators=many(
        built(
            GeneratorScores,
            distances=distances,
            utility=many(utility),
            memorisation=built(Memorisation),
        )
    ),
    reconstruction=st.none() | built(Reconstruction),
    gallery=many(group),
    closest=many(group),
)
privacy = built(SitePrivacy, mechanisms=many(built(Mechanism)))
sites = built(
    SiteReport,
    train_patients=st.none() | counts,
    holdout_patients=st.none() | counts,
    images=st.none() | counts,
    set_aside=st.dictionaries(words, counts, max_size=2),
    privacy=st.none() | privacy,
)
runs = built(
    RunResults,
    private=st.booleans(),
    generator=built(GeneratorInfo),
    sites=many(sites),
    rounds=many(built(SiteRound)),
    steps=many(built(RoundStep, worse=st.booleans(), far=st.booleans())),
    settings=st.dictionaries(words, st.dictionaries(words, setting, max_size=2), max_size=2),
    evaluation=st.none() | evaluations,
)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(run=runs)
def test_results_survive_json(run):
    again = RunResults.from_dict(json.loads(json.dumps(run.to_dict())))
    assert again == run
    assert repr(again) == repr(run)  # 1, 1.0 and true stay apart


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"schema": 2}, "schema"),
        ({"surprise": 1}, "surprise"),
        ({"seconds": float("nan")}, "seconds"),
        ({"sites": [{"name": "a", "images": "many"}]}, "sites.0.images"),
    ],
)
def test_unreadable_results_name_the_field(run, change, place):
    with pytest.raises(DataError, match=place):
        RunResults.from_dict(run.to_dict() | change)


def test_missing_field_is_named(run, evaluation):
    plain = run.to_dict()
    del plain["study_digest"]
    with pytest.raises(DataError, match="study_digest"):
        RunResults.from_dict(plain)
    with pytest.raises(DataError, match="extractor"):
        EvaluationResult.from_dict(evaluation.to_dict() | {"extractor": 3})
