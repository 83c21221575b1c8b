"""What a study would learn, told before anything is spent."""

import json
import tomllib
from dataclasses import replace

import pytest
from fedscan.cli.main import app
from fedscan.client.workspace.training_settings import descent_settings, loss_settings
from fedscan.config.study import load_study, study_to_toml
from fedscan.errors import ConfigurationError
from fedscan.evaluation.canaries.image_rows import image_loss
from fedscan.model.settings import TrainableSettings
from fedscan.model.storage import load_generator
from fedscan.model.trainable import count_trainable, select_trainable
from fedscan.privacy.dp_sgd import run_private_steps
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.stream import SecretStream
from fedscan.simulation.agreement import made_up_patients
from fedscan.simulation.study_plan import (
    FEW,
    MANY,
    SUITED,
    definite_study,
    plan_study,
    suited_study,
)
from tiny_stable_diffusion import write_stable_diffusion
from typer.testing import CliRunner


@pytest.fixture
def study(base):
    def load(*more):
        return load_study(None, [f"generator.base={base}", "data.image_size=32", *more])

    return load


@pytest.mark.parametrize(
    "subset", ["biases", "norms", "lora", "attention", "adapters", "all", "auto"]
)
def test_counted_is_what_would_be_chosen(base, subset):
    tiny = load_generator(base)
    settings = TrainableSettings(subset=subset, lora_rank=3)
    counted = count_trainable(tiny, settings)
    chosen = sum(each.numel() for each in select_trainable(tiny, settings).values())
    assert counted == chosen == count_trainable(tiny, settings)


@pytest.mark.parametrize("subset", ["adapters", "all"])
def test_an_adapter_that_would_be_added_is_counted_and_not_added(tmp_path, subset):
    write_stable_diffusion(tmp_path)
    tiny = load_generator(tmp_path)
    assert tiny.adapter is None
    settings = TrainableSettings(subset=subset)
    counted = count_trainable(tiny, settings)
    assert tiny.adapter is None
    assert all(one.device.type == "cpu" for one in tiny.parameters())
    assert counted == sum(each.numel() for each in select_trainable(tiny, settings).values())


@pytest.mark.parametrize("subset", sorted(SUITED))
def test_clip_norm_and_rate_that_suit_a_subset_make_a_study_that_trains(study, base, subset):
    usual = study(f"trainable.subset={subset}", "local.optimizer=adam")
    suited = suited_study(usual)
    assert (suited.privacy.clip_norm, suited.local.learning_rate) == SUITED[subset]
    assert suited != usual
    # Within what settings may be, as sites check them.
    again = tomllib.loads(study_to_toml(suited))
    assert (again["privacy"]["clip_norm"], again["local"]["learning_rate"]) == SUITED[subset]
    tiny = load_generator(base)
    parameters = select_trainable(tiny, suited.trainable)
    before = {name: value.detach().clone() for name, value in parameters.items()}
    images = made_up_patients(tiny.image_size, seed=0, count=4)
    trained = run_private_steps(
        parameters,
        image_loss(tiny, images, loss_settings(suited.local, suited.privacy)),
        population=4,
        expected_patients=4.0,
        mechanism=SubsampledGaussian(1.0, 1.0, 1),
        clip_norm=suited.privacy.clip_norm,
        descent=descent_settings(suited.local),
        stream=SecretStream(bytes(32), "training"),
    )
    moved = [(trained.tensors[name] - value).abs().max().item() for name, value in before.items()]
    # A first step of Adam is as long as its rate, whatever the gradient.
    assert max(moved) == pytest.approx(SUITED[subset][1], rel=1e-2)


def test_every_subset_that_can_be_chosen_has_what_suits_it():
    # Low-rank updates have the defaults of a study.
    assert {*FEW, *MANY} == SUITED.keys()


def test_a_clip_norm_or_rate_of_one_s_own_stays(study):
    own = study("trainable.subset=norms", "privacy.clip_norm=0.2", "local.learning_rate=1e-4")
    assert suited_study(own) == own


@pytest.mark.parametrize("subset", sorted(SUITED))
def test_another_optimizer_keeps_the_study_s_rate(study, subset):
    suited = suited_study(study(f"trainable.subset={subset}", "local.optimizer=sgd"))
    assert suited.local == study("local.optimizer=sgd").local
    assert suited.privacy.clip_norm == SUITED[subset][0]


def test_a_choice_says_that_it_recommends_no_rate_for_another_optimizer(study):
    sizes = "outlook.patients=[20, 20, 20]"
    usual = definite_study(study(sizes))
    assert usual.local.learning_rate == SUITED[usual.trainable.subset][1]
    assert "learning rate" not in usual.outlook.reason
    other = definite_study(study(sizes, "local.optimizer=momentum"))
    assert other.trainable == usual.trainable
    assert other.local == study("local.optimizer=momentum").local
    rate = f"The learning rate stays {other.local.learning_rate:g} (local.learning_rate)"
    assert other.outlook.reason.startswith(usual.outlook.reason)
    assert rate in other.outlook.reason
    assert "measured with adam, and the study's optimizer is momentum" in other.outlook.reason
    assert tomllib.loads(study_to_toml(other))["outlook"]["reason"] == other.outlook.reason
    # Whoever named a rate needs no word on it.
    named = definite_study(study(sizes, "local.optimizer=momentum", "local.learning_rate=0.05"))
    assert named.local.learning_rate == 0.05
    assert named.outlook.reason == usual.outlook.reason


def test_few_patients_are_told_that_they_pay_for_noise(study):
    plan = plan_study(study("trainable.subset=all"), [12, 9, 8], measure=False)
    assert plan.as_it_is.signal.ratio < 1
    assert "are noise" in plan.verdict
    assert f"{plan.as_it_is.signal.learnable:,}" in plan.verdict
    advice = plan.recommendation
    assert advice is not None
    assert advice.signal.ratio > plan.as_it_is.signal.ratio
    assert advice.settings[-1] == "trainable.subset=biases"


def test_many_patients_are_told_to_train_as_they_do(study):
    plan = plan_study(study("trainable.subset=all"), [200_000] * 3, measure=False)
    assert plan.recommendation is None
    assert "can be learnt:" in plan.verdict


def test_joint_noise_is_a_choice_from_three_sites_on(study):
    settings = study("trainable.lora_rank=2")
    two, three = (plan_study(settings, [50] * sites, measure=False) for sites in (2, 3))
    assert not any("privacy.sum=joint" in choice.settings for choice in two.choices)
    joint = [one for one in three.choices if one.settings[:1] == ("privacy.sum=joint",)]
    # As it is, with five other subsets, and with three other ranks.
    assert len(joint) == 8
    same = next(one for one in joint if not any("trainable" in name for name in one.settings))
    assert same.signal.ratio > 1.2 * three.as_it_is.signal.ratio
    # What is recommended is a study that can be begun.
    overrides = [*same.settings, "trainable.lora_rank=2"]
    again = plan_study(study(*overrides), [50] * 3, measure=False)
    assert again.as_it_is.signal.ratio == pytest.approx(same.signal.ratio)


def test_what_trains_grows_with_the_patients(study):
    sizes = (20, 400, 3_000, 30_000, 9_000_000)
    subsets = [
        definite_study(study(f"outlook.patients=[{size}, {size}, {size}]")).trainable
        for size in sizes
    ]
    tiny = load_generator(study().generator.base)
    numbers = [count_trainable(tiny, each) for each in subsets]
    assert numbers == sorted(numbers)
    assert numbers[0] < numbers[-1]
    assert (subsets[0].subset, subsets[-1].subset) == ("biases", "all")


def test_a_larger_budget_trains_more(study):
    def numbers(*more):
        settings = study("outlook.patients=[400, 300]", *more)
        return count_trainable(load_generator(settings.generator.base), _subset(settings))

    assert numbers("privacy.epsilon=1") < numbers("privacy.epsilon=20")


def _subset(settings):
    return definite_study(settings).trainable


def test_a_choice_says_why_and_is_made_once(study):
    chosen = definite_study(study("outlook.patients=[80, 50]"))
    assert chosen.trainable.subset != "auto"
    assert "2 sites with 130 training patients at epsilon 4" in chosen.outlook.reason
    assert "biases, norms, lora of rank 1" in chosen.outlook.reason
    assert definite_study(chosen) is chosen
    # It is what `plan` tells of the same study.
    plan = plan_study(study(), [80, 50], measure=False)
    assert plan.reason == chosen.outlook.reason
    assert plan.as_it_is.signal.numbers == count_trainable(
        load_generator(chosen.generator.base), chosen.trainable
    )


def test_without_sizes_or_privacy_low_rank_updates_train(study):
    for settings in (study(), study("privacy.enabled=false", "outlook.patients=[5]")):
        chosen = definite_study(settings)
        assert chosen.trainable == replace(settings.trainable, subset="lora")
        assert not chosen.outlook.reason
    named = study("trainable.subset=attention", "outlook.patients=[5]")
    assert definite_study(named) is named


def test_who_names_a_rank_means_low_rank_updates(study):
    assert study("trainable.lora_rank=3").trainable.subset == "lora"
    assert TrainableSettings(lora_rank=3).subset == "lora"
    assert study("trainable.lora_rank=3", "trainable.subset=norms").trainable.subset == "norms"
    assert TrainableSettings().subset == study().trainable.subset == "auto"


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
    assert "Trains biases, out of biases, norms, lora of rank 1" in " ".join(result.output.split())
    assert "typical, not measured" in result.output
    document = json.loads(CliRunner().invoke(app, [*words, *sets, "--json"]).stdout)
    assert document["verdict"].split(".")[0] in result.output.replace("\n", " ")
    assert document["sites"] == [30, 20]
