"""What a study would learn, told before anything is spent."""

import json

import pytest
from fedscan.cli.main import app
from fedscan.config.study import load_study
from fedscan.errors import ConfigurationError
from fedscan.model.settings import TrainableSettings
from fedscan.model.storage import load_generator
from fedscan.model.trainable import count_trainable, select_trainable
from fedscan.simulation.study_plan import plan_study
from typer.testing import CliRunner


@pytest.fixture
def study(base):
    def load(*more):
        return load_study(None, [f"generator.base={base}", "data.image_size=32", *more])

    return load


@pytest.mark.parametrize("subset", ["lora", "attention", "adapters", "all"])
def test_counted_is_what_would_be_chosen(base, subset):
    tiny = load_generator(base)
    settings = TrainableSettings(subset=subset, lora_rank=3)
    counted = count_trainable(tiny, settings)
    chosen = sum(each.numel() for each in select_trainable(tiny, settings).values())
    assert counted == chosen == count_trainable(tiny, settings)


def test_few_patients_are_told_that_they_pay_for_noise(study):
    plan = plan_study(study("trainable.subset=all"), [12, 9, 8], measure=False)
    assert plan.as_it_is.signal.ratio < 1
    assert "are noise" in plan.verdict
    assert f"{plan.as_it_is.signal.learnable:,}" in plan.verdict
    advice = plan.recommendation
    assert advice is not None
    assert advice.signal.ratio > plan.as_it_is.signal.ratio
    assert "trainable.lora_rank=1" in advice.settings


def test_many_patients_are_told_to_train_as_they_do(study):
    plan = plan_study(study("trainable.subset=all"), [200_000] * 3, measure=False)
    assert plan.recommendation is None
    assert "can be learnt:" in plan.verdict


def test_joint_noise_is_a_choice_from_three_sites_on(study):
    settings = study("trainable.lora_rank=2")
    two, three = (plan_study(settings, [50] * sites, measure=False) for sites in (2, 3))
    assert not any("privacy.sum=joint" in choice.settings for choice in two.choices)
    joint = [one for one in three.choices if one.settings[:1] == ("privacy.sum=joint",)]
    assert len(joint) == 4
    same = next(one for one in joint if not any("rank" in name for name in one.settings))
    assert same.signal.ratio > 1.2 * three.as_it_is.signal.ratio
    # What is recommended is a study that can be begun.
    overrides = [*same.settings, "trainable.lora_rank=2"]
    again = plan_study(study(*overrides), [50] * 3, measure=False)
    assert again.as_it_is.signal.ratio == pytest.approx(same.signal.ratio)


def test_agreement_is_measured_on_made_up_patients(study):
    settings = study("trainable.subset=lora", "privacy.draws_per_patient=2")
    first, second = (plan_study(settings, [50, 50]).as_it_is.signal for _ in range(2))
    assert first == second
    assert 0 <= first.agreement <= 1


def test_a_study_without_privacy_has_nothing_to_plan(study):
    with pytest.raises(ConfigurationError, match="not private"):
        plan_study(study("privacy.enabled=false"), [5])
    with pytest.raises(ConfigurationError, match="cannot be planned"):
        plan_study(study(), [])


def test_the_command_prints_verdict_table_and_recommendation(base):
    words = ["plan", "-p", "30", "-p", "20", "--typical"]
    sets = ["--set", f"generator.base={base}", "--set", "data.image_size=32"]
    result = CliRunner().invoke(app, [*words, *sets])
    assert result.exit_code == 0, result.output
    assert "effective patients" in result.output
    assert "typical, not measured" in result.output
    document = json.loads(CliRunner().invoke(app, [*words, *sets, "--json"]).stdout)
    assert document["verdict"].split(".")[0] in result.output.replace("\n", " ")
    assert document["sites"] == [30, 20]
