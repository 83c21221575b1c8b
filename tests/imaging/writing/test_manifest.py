"""The signed manifest: nothing is changed, lost, slipped in or signed by another unseen."""

from __future__ import annotations

import json

import pytest
from fedscan.common.signing import fingerprint, open_signing_key, sign_document, verify_document
from fedscan.errors import SignatureError
from fedscan.imaging.writing.manifest import NAME, check_folder, write_manifest
from hypothesis import given
from hypothesis import strategies as st

GENERATOR = "cd" * 32


@pytest.fixture
def signed(tmp_path):
    key = open_signing_key(tmp_path / "keys" / "signing.key")
    folder = tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    files = []
    for name in ("a.png", "deep/b.png"):
        (folder / name).write_bytes(name.encode())
        files.append((folder / name, {"prompt": name, "seed": 1}))
    write_manifest(folder, files, generator=GENERATOR, key=key)
    return folder, key


def test_an_untouched_folder_is_as_it_was_made(signed):
    folder, key = signed
    checked = check_folder(folder, signer=fingerprint(key.public_key())[:8])
    assert checked.files == ("a.png", "deep/b.png")
    assert checked.unlisted == ()
    assert checked.generator == GENERATOR


def test_a_file_slipped_in_is_named(signed):
    folder, _ = signed
    (folder / "c.png").write_bytes(b"")
    assert check_folder(folder).unlisted == ("c.png",)


def test_changed_and_missing_files_are_all_named(signed):
    folder, _ = signed
    (folder / "a.png").write_bytes(b"x")
    (folder / "deep" / "b.png").unlink()
    with pytest.raises(SignatureError, match=r"a\.png was changed; deep/b\.png is missing"):
        check_folder(folder)


def test_a_changed_manifest_and_another_signer_are_refused(signed, tmp_path):
    folder, _ = signed
    document = json.loads((folder / NAME).read_bytes())
    document["content"]["files"][0]["prompt"] = "another"
    (folder / NAME).write_text(json.dumps(document))
    with pytest.raises(SignatureError, match="signature does not fit"):
        check_folder(folder)
    other = open_signing_key(tmp_path / "other.key")
    write_manifest(folder, [], generator=GENERATOR, key=other)
    with pytest.raises(SignatureError, match="Another key signed"):
        check_folder(folder, signer="00" * 32)


def test_a_manifest_cannot_point_out_of_its_folder(signed):
    folder, key = signed
    (folder.parent / "outside.png").write_bytes(b"o")
    content = verify_document((folder / NAME).read_bytes()).content
    content["files"][0]["name"] = "../outside.png"
    (folder / NAME).write_bytes(sign_document(content, key))
    with pytest.raises(SignatureError, match="outside"):
        check_folder(folder)


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(SignatureError, match="no readable"):
        check_folder(tmp_path)


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "k" / "signing.key"
    first = open_signing_key(path)
    assert path.stat().st_mode & 0o077 == 0
    assert open_signing_key(path).private_bytes_raw() == first.private_bytes_raw()
    path.write_text("no key")
    with pytest.raises(SignatureError, match="cannot be used"):
        open_signing_key(path)


@given(st.binary(max_size=300))
def test_no_bytes_pass_for_a_signed_document(document):
    with pytest.raises(SignatureError):
        verify_document(document)
