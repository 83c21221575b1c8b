"""Every hint that gives a command has a test that follows it to its end.

:data:`FOLLOWED` names it. A hint that is added without one fails here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hints import ROOT, TREE, hints

_HERE = "tests/cli/test_hints_followed.py"
_EXAMINATION = "tests/simulation/test_examination.py"
_REVOKED = "tests/end_to_end/test_revoked_site.py::test_a_revoked_site_comes_back_with_new_keys"
_PACS = "tests/client/sources/test_site_data.py"
_PATIENCE = "tests/simulation/test_changed_on_resume.py::test_a_run_goes_on_with_another_patience"
_NO_SITE = f"{_HERE}::test_a_site_that_is_not_there_is_set_up"
_NO_GENERATOR = f"{_HERE}::test_a_generator_is_made_where_there_is_none"

#: By the file that a hint is in and the command that it gives: the test that follows it.
FOLLOWED = {
    ("applications/restoration/denoiser.py", "train-denoiser"): (
        "tests/applications/restoration/test_denoiser.py::test_the_command_trains_one"
    ),
    ("applications/translation/pairs.py", "phantoms"): (
        "tests/applications/translation/test_translation.py"
        "::test_made_up_patients_stand_in_for_pairs"
    ),
    ("applications/translation/translator.py", "train-translator"): (
        "tests/applications/translation/test_translation.py"
        "::test_a_translator_is_trained_on_a_site_of_pairs"
    ),
    ("cli/site_approval.py", "site approve"): f"{_HERE}::test_a_study_is_named_as_it_is_listed",
    ("cli/site_opt_out.py", "site opt-out add"): f"{_HERE}::test_who_is_not_on_the_list_is_put_on",
    ("client/border/connection.py", "site join"): f"{_HERE}::test_a_site_joins_before_it_starts",
    ("client/counter_signed.py", "site charge"): (
        "tests/client/test_counter_signed.py::test_a_copy_that_did_not_spend_what_was_signed_is_told"
    ),
    ("client/doctor.py", "index"): f"{_HERE}::test_what_the_doctor_advises_of_data_is_done",
    ("client/doctor.py", "site add-data"): f"{_HERE}::test_what_the_doctor_advises_of_data_is_done",
    ("client/doctor.py", "site join"): f"{_HERE}::test_a_site_joins_before_it_starts",
    ("client/doctor.py", "site refresh"): (
        f"{_PACS}::test_a_data_set_from_a_pacs_is_indexed_as_its_original_folder"
    ),
    ("client/spending.py", "site approve"): (
        "tests/client/test_spending.py"
        "::test_an_approval_that_the_audit_log_does_not_know_proves_that_the_log_is_not_whole"
    ),
    ("client/spending.py", "site charge"): (
        "tests/client/test_spending.py::test_what_is_entered_by_hand_settles_it"
    ),
    ("client/steward/admission.py", "site resume"): f"{_HERE}::test_a_paused_site_goes_on",
    ("client/steward/approvals.py", "site approve"): (
        f"{_HERE}::test_a_study_is_named_as_it_is_listed"
    ),
    ("client/steward/data_set_life.py", "site refresh"): (
        f"{_PACS}::test_a_data_set_from_a_pacs_is_indexed_as_its_original_folder"
    ),
    ("client/steward/data_set_life.py", "site add-data"): (
        "tests/client/steward/test_data_set_life.py"
        "::test_a_moved_data_set_goes_on_with_its_study_and_its_ledger"
    ),
    ("client/steward/data_sets.py", "site add-data"): (
        f"{_HERE}::test_a_data_set_that_is_missing_is_added"
    ),
    ("client/declining.py", "site approve"): (
        f"{_HERE}::test_an_approved_study_is_taken_back_and_declined"
    ),
    ("client/steward/home.py", "site init"): _NO_SITE,
    ("client/steward/home.py", "site join"): f"{_HERE}::test_damaged_settings_are_written_anew",
    ("client/steward/labelling.py", "site labels"): f"{_HERE}::test_a_table_is_given",
    ("client/steward/opt_outs.py", "site opt-out add"): (
        f"{_HERE}::test_who_is_not_on_the_list_is_put_on"
    ),
    ("client/steward/receiving.py", "site add-data"): (
        f"{_PACS}::test_a_receiver_runs_until_it_is_stopped"
    ),
    ("client/steward/status.py", "site start"): (
        "tests/end_to_end/test_site_dies.py::test_a_site_dies_with_all_its_processes"
    ),
    ("config/overrides.py", "config"): f"{_HERE}::test_a_study_is_written_and_read",
    ("config/study.py", "config"): f"{_HERE}::test_a_study_is_written_and_read",
    ("evaluation/anatomy/plausibility.py", "examine"): (
        f"{_EXAMINATION}::test_a_run_is_examined_and_its_gate_decides"
    ),
    ("evaluation/readers/score.py", "reader-study serve"): (
        "tests/evaluation/readers/test_readers_command.py"
        "::test_a_reader_answers_by_keys_and_an_answer_that_nobody_takes_is_told"
    ),
    ("evaluation/readers/study.py", "reader-study init"): (
        f"{_EXAMINATION}::test_readers_of_a_run_become_a_section"
    ),
    ("evaluation/results.py", "examine"): (
        f"{_EXAMINATION}::test_a_run_is_examined_and_its_gate_decides"
    ),
    ("evaluation/section.py", "examine"): (
        f"{_EXAMINATION}::test_the_same_command_measures_only_what_is_not_there_yet"
    ),
    ("federation/pki/authority.py", "site new-keys"): _REVOKED,
    ("federation/scores.py", "site evaluate"): (
        "tests/end_to_end/test_evaluation.py"
        "::test_sites_score_release_and_the_coordinator_sums_while_everything_runs"
    ),
    ("imaging/writing/manifest.py", "generate"): f"{_HERE}::test_images_are_made_and_verified",
    ("model/outline.py", "simulate"): _NO_GENERATOR,
    ("model/outline.py", "pretrain"): _NO_GENERATOR,
    ("model/storage.py", "simulate"): _NO_GENERATOR,
    ("model/storage.py", "pretrain"): (
        "tests/cli/test_pretrain.py::test_the_base_makes_images_and_says_what_it_is_from"
    ),
    ("server/coordinator/app.py", "coordinator"): (
        "tests/end_to_end/test_federation.py::test_two_rounds_end_in_a_signed_generator"
    ),
    ("server/coordinator/doctor.py", "site new-keys"): _REVOKED,
    ("server/coordinator/doctor.py", "coordinator resume"): (
        "tests/server/coordinator/test_home.py::test_what_a_backup_may_leave_out_is_made_again"
    ),
    ("server/coordinator/doctor.py", "coordinator start"): (
        "tests/end_to_end/test_coordinator_survives.py"
        "::test_the_coordinator_dies_with_all_its_processes"
    ),
    ("server/coordinator/home.py", "coordinator init"): (
        f"{_HERE}::test_a_coordinators_folder_is_made"
    ),
    ("server/coordinator/orders.py", "coordinator resume"): (
        "tests/server/coordinator/test_home.py"
        "::test_a_study_goes_on_with_another_patience_and_nothing_else"
    ),
    ("server/coordinator/scoring.py", "coordinator checkpoint"): (
        "tests/end_to_end/test_evaluation.py"
        "::test_sites_score_release_and_the_coordinator_sums_while_everything_runs"
    ),
    ("server/dashboard/snapshot.py", "simulate"): (
        "tests/server/dashboard/test_dashboard_command.py"
        "::test_a_hundred_sites_are_folded_and_unfolded_by_keyboard"
    ),
    ("server/exchange.py", "simulate"): _PATIENCE,
    ("server/exchange.py", "coordinator resume"): (
        "tests/server/coordinator/test_home.py"
        "::test_a_study_goes_on_with_another_patience_and_nothing_else"
    ),
    ("server/patience.py", "simulate"): _PATIENCE,
    ("server/patience.py", "coordinator resume"): (
        "tests/server/coordinator/test_home.py"
        "::test_a_study_goes_on_with_another_patience_and_nothing_else"
    ),
    ("simulation/pretraining/reading.py", "index"): (
        "tests/cli/test_data_commands.py"
        "::test_index_counts_what_it_set_aside_and_shows_no_identifier"
    ),
    ("simulation/tryout/own_folder.py", "try"): (
        f"{_HERE}::test_what_a_try_out_left_is_ended_and_another_folder_is_named"
    ),
    ("simulation/tryout/run.py", "doctor"): (
        "tests/federation/diagnosis/test_doctor.py::test_a_coordinator_is_looked_at"
    ),
}


def given() -> Iterator[tuple[str, str]]:
    """Yield the file and the command of every hint that gives one."""
    for file, text in hints():
        for line in re.findall(r"`fedscan\s([^`]+)`", text):
            group, words = TREE, []
            for word in line.split():
                commands = getattr(group, "commands", {})
                if word not in commands:
                    break
                words.append(word)
                group = commands[word]
            if words:
                yield file, " ".join(words)


def test_every_hint_that_gives_a_command_is_followed_by_a_test() -> None:
    commands = set(given())
    assert commands - set(FOLLOWED) == set(), "add a test that does what the hint says"
    assert set(FOLLOWED) - commands == set(), "no hint gives this any more"


@pytest.mark.parametrize("test", sorted(set(FOLLOWED.values())))
def test_a_test_that_is_named_exists(test: str) -> None:
    file, _, name = test.partition("::")
    assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8")
