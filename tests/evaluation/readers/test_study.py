"""Nothing but the pixels tells what is real; answers are durable and orders differ."""

from __future__ import annotations

import io
import json
import stat

import numpy as np
import pytest
from fastapi.testclient import TestClient
from fedscan.errors import ConfigurationError, DataError
from fedscan.evaluation.readers.answers import Answer, AnswerBook
from fedscan.evaluation.readers.app import readers_app
from fedscan.evaluation.readers.study import ANSWERS, IMAGES, KEY, ReaderStudy
from PIL import Image


def answer(item, rating=3):
    return Answer(item=item, rating=rating, seconds=1.5)


def test_files_tell_nothing(study):
    key = study.key()
    assert sum(key.values()) == 4
    files = sorted((study.folder / IMAGES).iterdir())
    assert [file.stem for file in files] == list(study.items)
    for file in files:
        with Image.open(io.BytesIO(file.read_bytes())) as picture:
            assert picture.mode == "L"
            assert picture.info == {}
    # Neither sizes nor times nor rights are of one kind.
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {
        stat.S_IMODE(files[0].stat().st_mode)
    }
    about = (study.folder / "study.json").read_text()
    assert "synthetic" not in about
    assert "X-ray" not in about


def test_each_reader_has_an_order_that_lasts(study):
    orders = {reader: study.order(reader) for reader in ("ann", "bob", "eve", "joe")}
    assert len(set(orders.values())) > 1
    for reader, order in orders.items():
        assert sorted(order) == list(study.items)
        assert ReaderStudy.open(study.folder).order(reader.upper()) == order


def test_answers_survive_a_crash_in_the_middle_of_a_line(study):
    book = AnswerBook(study)
    first, second, third = study.order("ann")[:3]
    book.add("ann", answer(first, 1))
    book.add("ann", answer(second, 2))
    file = study.folder / ANSWERS / "ann.jsonl"
    file.write_bytes(file.read_bytes()[:-9])
    again = AnswerBook(ReaderStudy.open(study.folder))
    assert list(again.of("ann")) == [first]
    again.add("ann", answer(third, 4))
    again.add("ann", answer(first, 3))
    assert {item: one.rating for item, one in again.of("ann").items()} == {first: 3, third: 4}
    assert again.readers() == ("ann",)
    assert again.of("bob") == {}


@pytest.mark.parametrize("name", ["", "../ann", "a/b", ".ann", "x" * 33, "ann\n"])
def test_a_reader_cannot_name_a_file_elsewhere(study, name):
    with pytest.raises(ConfigurationError, match="cannot name a reader"):
        AnswerBook(study).add(name, answer(study.items[0]))
    assert not (study.folder / ANSWERS).exists()


def test_what_is_no_answer_is_refused(study):
    book = AnswerBook(study)
    with pytest.raises(DataError, match="no such image"):
        book.add("ann", answer("0" * 16))
    for rating in (0, 5):
        with pytest.raises(DataError, match="no rating"):
            book.add("ann", answer(study.items[0], rating))


def test_a_study_is_not_overwritten_and_damage_is_named(study):
    images = np.zeros((1, 8, 8), np.float32)
    with pytest.raises(ConfigurationError, match="already"):
        ReaderStudy.create(study.folder, "again", images, images, ["", ""])
    (study.folder / KEY).write_text("{}")
    with pytest.raises(DataError, match="not the key"):
        study.key()
    (study.folder / "study.json").write_text(json.dumps({"name": "x", "items": ["../key"]}))
    with pytest.raises(DataError, match="does not describe"):
        ReaderStudy.open(study.folder)


def test_the_server_never_opens_the_key(study):
    (study.folder / KEY).unlink()
    client = TestClient(readers_app(study), base_url="http://localhost")
    reading = client.get("/reading.json", params={"reader": "ann"}).json()
    first = reading["items"][0]["item"]
    assert client.get(f"/images/{first}.png").content == study.image(first)
    given = {"reader": "ann", "item": first, "rating": 4, "seconds": 2.0}
    assert client.post("/answers", json=given).status_code == 204
    again = client.get("/reading.json", params={"reader": "ann"}).json()
    assert [one["rating"] for one in again["items"]] == [4] + [None] * 7
    text = json.dumps(again)
    assert "caption" not in text
    assert '"synthetic"' not in text


def test_the_server_takes_no_answers_from_elsewhere(study):
    client = TestClient(readers_app(study), base_url="http://localhost")
    given = {"reader": "ann", "item": study.items[0], "rating": 4, "seconds": 2.0}
    form = client.post(
        "/answers", content=json.dumps(given), headers={"content-type": "text/plain"}
    )
    assert form.status_code in (415, 422)
    assert client.post("/answers", json=given | {"rating": "4"}).status_code == 422
    assert client.post("/answers", json=given | {"reader": "../x"}).status_code == 422
    assert client.post("/answers", json=given | {"item": "0" * 16}).status_code == 422
    elsewhere = TestClient(readers_app(study), base_url="http://evil.example")
    assert elsewhere.post("/answers", json=given).status_code == 400
    assert client.get("/images/key.png").status_code == 404
    assert not (study.folder / ANSWERS).exists()
