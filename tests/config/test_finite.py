"""No setting takes a value that is not finite, from a file, the command line or another site."""

from __future__ import annotations

from pathlib import Path

import pytest
from fedscan.client.policy import load_policy
from fedscan.client.terms import StudyTerms
from fedscan.config.study import load_study, study_settings
from fedscan.errors import ConfigurationError, ProtocolError
from fedscan.server.terms import site_terms

NUMBERS = [setting.path for setting in study_settings() if setting.kind == "number"]


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
def test_no_setting_is_infinite_or_no_number(value: str) -> None:
    assert len(NUMBERS) > 20
    taken = []
    for path in NUMBERS:
        try:
            load_study(None, [f"{path}={value}"])
        except ConfigurationError:
            continue
        taken.append(path)
    assert taken == []


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_no_policy_is_infinite_or_no_number(value: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    for setting in ("max_update_norm", "epsilon_ceiling", "max_clip_norm", "weight"):
        file.write_text(f"{setting} = {value}\n")
        with pytest.raises(ConfigurationError, match=setting):
            load_policy(file)


@pytest.mark.parametrize("value", ["Infinity", "NaN", "1e999"])
def test_no_term_is_infinite_or_no_number(value: str) -> None:
    texts = site_terms(load_study())
    text = texts["privacy"].replace('"clip_norm":0.05', f'"clip_norm":{value}')
    assert text != texts["privacy"]
    with pytest.raises(ProtocolError, match=r"privacy is wrong in: clip_norm"):
        StudyTerms.from_texts({**texts, "privacy": text})
