"""Free text of a table: only where the study and the site's policy take it, and like the pixels."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fedscan.client.data import example_origin
from fedscan.client.data.dataset import SiteDataset
from fedscan.client.policy import SitePolicy
from fedscan.client.proposed_step import ProposedStep, check_step
from fedscan.errors import PrivacyError
from fedscan.imaging.labels.table import read_table
from fedscan.imaging.settings import DataSettings
from fedscan.model.generator import build_generator
from fedscan.model.settings import GeneratorSettings
from fedscan.model.training_rows import conditioned_rows, encode_images
from fedscan.model.words.tables import few_words, shipped_words
from fedscan.privacy.mechanism import SubsampledGaussian

TEXT = "Displaced fracture of the third metacarpal, seen by Dr Doe."


@pytest.fixture
def opened(tmp_path: Path, write_image):
    film = np.random.default_rng(0).integers(0, 4000, (32, 32)).astype(np.uint16)
    for number in range(3):
        fields = {"Modality": "DX", "BodyPartExamined": "HAND", "PatientID": f"p{number}"}
        write_image(tmp_path / "scans" / f"{number}.dcm", film, **fields)

    def open_with(captions: str, text: str = TEXT) -> SiteDataset:
        table = tmp_path / "labels.csv"
        table.write_text(f'image,fracture,report\n0.png,1,"{text}"\n1.png,1,\n', encoding="utf-8")
        return SiteDataset.open(
            tmp_path / "scans",
            DataSettings(image_size=32, holdout_fraction=0.0, captions=captions),
            tmp_path / "cache",
            words=shipped_words(),
            labels=read_table(table, shipped_words()),
        )

    return open_with


def test_a_text_is_read_only_where_the_study_takes_texts(opened, tmp_path: Path):
    without = opened("words")
    assert all(not e.report for key in without.patients for e in without.examples(key))
    stored = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*.*"))
    assert b"Doe" not in stored
    taking = opened("text")
    reports = [e.report for key in taking.patients for e in taking.examples(key)]
    assert sorted(reports) == ["", "", TEXT]
    # Neither captions nor counts nor what is printed have it.
    assert "Doe" not in repr(taking.contents())
    assert "Doe" not in repr([e for key in taking.patients for e in taking.examples(key)])


def test_a_changed_text_is_other_data_where_texts_are_trained_on_and_else_not(opened):
    def sources(captions: str, text: str) -> set[str]:
        dataset = opened(captions, text)
        return {dataset.content(key) for key in dataset.patients}

    assert len(sources("text", "one") - sources("text", "two")) == 1
    assert sources("words", "one") == sources("words", "two")


def test_training_hears_text_and_words_by_turns_and_everything_else_words(opened):
    generator = build_generator(GeneratorSettings(size="tiny"))
    dataset = opened("text")
    (key,) = (k for k in dataset.patients if dataset.examples(k)[0].report)
    examples = dataset.examples(key) * 200
    latents = encode_images(generator, examples[:1]).repeat(200, 1, 1, 1)
    words, text, nothing = generator.embed([examples[0].description.caption(), TEXT, ""])
    plain = conditioned_rows(generator, latents, examples)
    assert torch.equal(plain.text, words.expand_as(plain.text))
    drawn = conditioned_rows(generator, latents, examples, rng=np.random.default_rng(0)).text
    share = {
        name: float(torch.stack([torch.equal(row, one) * torch.ones(()) for row in drawn]).mean())
        for name, one in (("words", words), ("text", text), ("nothing", nothing))
    }
    assert sum(share.values()) == pytest.approx(1)
    assert 0.3 < share["text"] < 0.6
    assert 0.3 < share["words"] < 0.6


def test_the_policy_allows_texts_only_when_it_says_so():
    step = ProposedStep(
        mechanism=SubsampledGaussian(0.1, 1.0, 1),
        clip_norm=1.0,
        patients=50,
        burned_in="refuse_likely",
        captions="text",
        subset="lora",
    )
    with pytest.raises(PrivacyError, match="allow_free_text"):
        check_step(SitePolicy(), step)
    check_step(SitePolicy(allow_free_text=True), step)


def test_old_settings_keep_their_caches_and_what_they_paid_for(opened):
    # The digest of a patient's source does not know of a setting that it never had.
    settings = DataSettings(image_size=32)
    old = {
        k: v
        for k, v in vars(settings).items()
        if k not in ("holdout_fraction", "captions", "synthetic")
    }
    text = json.dumps([example_origin._FORMAT, old], sort_keys=True)
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert example_origin.settings_digest(settings, few_words()) == expected
