"""The site's policy: every limit refuses, and a wrong file is refused by name."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import replace
from datetime import datetime

import pytest
from fedscan.client.policy import (
    BURNED_IN,
    SitePolicy,
    load_policy,
    policy_to_toml,
    write_policy,
)
from fedscan.client.proposed_step import ProposedStep, check_step
from fedscan.errors import ConfigurationError, PausedError, PrivacyError
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.settings import PrivacySettings
from hypothesis import given
from hypothesis import strategies as st

ALLOWED = ProposedStep(
    mechanism=SubsampledGaussian(0.25, 1.0, 20),
    clip_norm=1.0,
    patients=100,
    burned_in="refuse_likely",
    subset="attention",
)


JOINT = PrivacySettings(sum="joint", min_sites=4, colluding_sites=1)


def test_a_joint_study_is_refused_that_withstands_fewer_than_the_site_reckons_with():
    policy, step = SitePolicy(), replace(ALLOWED, joint=JOINT)
    check_step(policy, step)
    with pytest.raises(PrivacyError, match="a sum of 4 sites is of fewer than 5"):
        check_step(replace(policy, min_sites=5), step)
    with pytest.raises(PrivacyError, match=r"withstands 1 other sites .* not 2"):
        check_step(replace(policy, max_colluding_sites=2), step)
    check_step(replace(policy, min_sites=5, max_colluding_sites=2), ALLOWED)


def test_the_ceiling_of_collusion_is_never_below_the_other_one():
    assert SitePolicy().collusion_ceiling_in_force == 20.0
    assert SitePolicy(epsilon_ceiling=30.0).collusion_ceiling_in_force == 30.0


def test_defaults_allow_an_ordinary_step_and_a_single_change_can_refuse_it():
    policy = SitePolicy()
    check_step(policy, ALLOWED)
    with pytest.raises(PrivacyError, match="fewer than 101 patients"):
        check_step(replace(policy, min_patients=ALLOWED.patients + 1), ALLOWED)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"mechanism": None}, "no privacy"),
        ({"mechanism": SubsampledGaussian(0.25, 0.29, 20)}, "noise multiplier 0.29"),
        ({"mechanism": SubsampledGaussian(0.6, 1.0, 20)}, "sample rate 0.6"),
        ({"mechanism": SubsampledGaussian(0.25, 1.0, 1001)}, "1001 steps"),
        ({"clip_norm": 10.5}, "clip norm 10.5"),
        ({"clip_norm": math.nan}, "clip norm nan"),
        ({"clip_norm": -1.0}, "clip norm -1"),
        ({"patients": 19}, "fewer than 20 patients"),
        ({"subset": "all"}, "'all' is not among"),
        ({"burned_in": "refuse_marked"}, "burned-in text needs refuse_likely"),
        ({"burned_in": "accept"}, "'accept'"),
    ],
)
def test_every_limit_refuses(change, named):
    with pytest.raises(PrivacyError, match=named) as refusal:
        check_step(SitePolicy(), replace(ALLOWED, **change))
    assert refusal.value.code == "privacy"


def test_a_refusal_names_everything_but_not_the_patient_count():
    step = replace(ALLOWED, patients=13, clip_norm=99.0, subset="all")
    with pytest.raises(PrivacyError) as refusal:
        check_step(SitePolicy(), step)
    message = str(refusal.value)
    assert "clip norm 99" in message
    assert "'all'" in message
    assert "fewer than 20" in message
    assert "13" not in message


def test_statistics_may_draw_everybody():
    mechanism = SubsampledGaussian(1.0, 5.0, 1)
    check_step(SitePolicy(), replace(ALLOWED, mechanism=mechanism, subset=None))
    with pytest.raises(PrivacyError, match="sample rate 1"):
        check_step(SitePolicy(), replace(ALLOWED, mechanism=mechanism))


def test_non_private_training_needs_the_sites_word_and_keeps_the_other_limits():
    step = replace(ALLOWED, mechanism=None)
    policy = SitePolicy(allow_non_private=True)
    check_step(policy, step)
    with pytest.raises(PrivacyError, match="fewer than"):
        check_step(policy, replace(step, patients=1))


@pytest.mark.parametrize(
    ("hours", "clock", "allowed"),
    [
        ("", "12:00", True),
        ("08:00-17:00", "08:00", True),
        ("08:00-17:00", "17:00", False),
        ("19:00-07:00", "23:30", True),
        ("19:00-07:00", "06:59", True),
        ("19:00-07:00", "07:00", False),
        ("19:00-07:00", "12:00", False),
    ],
)
def test_hours_bound_when_a_round_may_begin(hours, clock, allowed):
    now = datetime.fromisoformat(f"2030-01-01 {clock}")
    if allowed:
        SitePolicy(hours=hours).check_time(now)
    else:
        with pytest.raises(PausedError, match=hours):
            SitePolicy(hours=hours).check_time(now)


def test_only_named_data_sets_are_trained_on():
    SitePolicy().check_data_set("chest")
    SitePolicy(data_sets=("chest",)).check_data_set("chest")
    with pytest.raises(PrivacyError, match="'head'"):
        SitePolicy(data_sets=("chest",)).check_data_set("head")


policies = st.builds(
    SitePolicy,
    epsilon_ceiling=st.floats(0.0, 100.0, exclude_min=True),
    delta=st.floats(1e-10, 1e-2),
    min_noise_multiplier=st.floats(0.0, 100.0),
    max_clip_norm=st.floats(0.0, 1000.0, exclude_min=True),
    max_sample_rate=st.floats(0.0, 1.0, exclude_min=True),
    max_steps_per_round=st.integers(1, 100_000),
    min_patients=st.integers(1, 1_000_000),
    allowed_subsets=st.lists(
        st.sampled_from(["attention", "adapters", "lora", "all"]), min_size=1
    ).map(tuple),
    burned_in=st.sampled_from(BURNED_IN),
    weight=st.floats(0.0, 1000.0, exclude_min=True),
    allow_non_private=st.booleans(),
    max_update_norm=st.floats(0.0, 1e9, exclude_min=True),
    data_sets=st.lists(st.sampled_from(["chest", "head-2020"])).map(tuple),
    hours=st.sampled_from(["", "19:00-07:00", "00:00-23:59"]),
    cpu_threads=st.integers(0, 1024),
    memory_gb=st.floats(0.0, 1e5),
    allow_gpu=st.booleans(),
)


@given(policy=policies)
def test_a_written_policy_reads_back_the_same(policy, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "policy.toml"
    write_policy(path, policy)
    assert load_policy(path) == policy


def test_the_file_explains_every_setting():
    text = policy_to_toml(SitePolicy())
    lines = text.splitlines()
    for field in dataclasses.fields(SitePolicy):
        (line,) = (at for at, line in enumerate(lines) if line.startswith(f"{field.name} = "))
        assert lines[line - 1].startswith("# ")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("epsilon_celling = 3.0", "epsilon_ceiling"),
        ("epsilon_ceiling = 0", "epsilon_ceiling = 0"),
        ('epsilon_ceiling = "8"', "epsilon_ceiling = '8'"),
        ("epsilon_ceiling = inf", "epsilon_ceiling"),
        ("delta = nan", "delta"),
        ("allow_non_private = 1", "allow_non_private = 1"),
        ("min_patients = 2.5", "min_patients = 2.5"),
        ('allowed_subsets = ["everything"]', "allowed_subsets"),
        ("allowed_subsets = []", "allowed_subsets"),
        ("[section]\nx = 1", "section"),
        ('hours = "7-19"', "hours = '7-19': allowed is text, such as 19:00-07:00"),
        ('hours = "19:00-24:00"', "hours"),
        ("epsilon_ceiling =", "not valid TOML"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_a_wrong_file_is_refused_by_name(text, named, tmp_path):
    path = tmp_path / "policy.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError, match=named):
        load_policy(path)


def test_all_problems_are_named_at_once(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text("delta = 1.0\nmin_patients = 0\nnothing = 1\n")
    with pytest.raises(ConfigurationError) as failure:
        load_policy(path)
    assert all(key in str(failure.value) for key in ("delta", "min_patients", "nothing"))


def test_a_missing_file_is_an_error_not_a_default(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_policy(tmp_path / "policy.toml")
