"""Room, versions and certificates on the disk."""

from __future__ import annotations

import shutil

import pytest
from fedscan.errors import DataError, FederationError, FedscanError
from fedscan.federation.diagnosis.certificates import check_certificate, check_secret
from fedscan.federation.diagnosis.finding import (
    DoubtError,
    NotApplicableError,
    examine,
    exit_status,
)
from fedscan.federation.diagnosis.machine import check_room, compare_versions, installed_versions
from fedscan.federation.pki.authority import Authority
from fedscan.federation.pki.certificates import make_client, to_pem
from fedscan.federation.pki.keys import new_key, read_private_key

OWN = {"fedscan": "1", "flwr": "1.41.0", "torch": "2.8", "bundle": "a" * 64}


def test_an_outcome_for_each_way_a_check_can_end():
    def raising(error: Exception):
        def look() -> str:
            raise error

        return look

    findings = [
        examine("a", lambda: "fine"),
        examine("b", raising(DoubtError("doubt", hint="look"))),
        examine("c", raising(NotApplicableError("none"))),
        examine("d", raising(DataError("bad", hint="mend"))),
        examine("e", raising(PermissionError(13, "Permission denied", "file"))),
    ]
    assert [f.state for f in findings] == ["ok", "warning", "skipped", "problem", "problem"]
    assert findings[4].message == "file: Permission denied."
    assert exit_status(findings) == DataError.exit_status
    assert exit_status(findings[:3]) == 0
    with pytest.raises(ZeroDivisionError):
        examine("bug", lambda: str(1 / 0))


@pytest.mark.parametrize(("free", "expected"), [(1 << 20, FedscanError), (5 << 30, DoubtError)])
def test_little_room(tmp_path, monkeypatch, free, expected):
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(expected, match="are free"):
        check_room(tmp_path)


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({}, None),
        ({"torch": "2.9"}, DoubtError),
        ({"fedscan": "2"}, FederationError),
        ({"flwr": "1.42.0"}, FederationError),
        ({"bundle": "b" * 64}, FederationError),
    ],
)
def test_versions_of_both_sides(theirs, expected):
    if expected is None:
        assert "Both sides have fedscan 1" in compare_versions(OWN, OWN)
        return
    with pytest.raises(expected) as caught:
        compare_versions(OWN, {**OWN, **theirs})
    (name, value) = next(iter(theirs.items()))
    assert f"{name} {OWN[name][:12]} here and {value[:12]} there" in caught.value.message


def test_the_installed_versions_are_known():
    assert {"fedscan", "flwr", "torch", "python"} == set(installed_versions())
    assert "missing" not in installed_versions().values()


@pytest.mark.parametrize(("days", "said"), [(0, "expired on"), (10, "expires in"), (90, "valid")])
def test_certificates_tell_their_end(tmp_path, days, said):
    authority = Authority.create(tmp_path / "ca", "own")
    key = read_private_key(tmp_path / "ca" / "ca.key")
    certificate = make_client(
        "north", new_key().public_key(), authority.certificate, key, days=days
    )
    (tmp_path / "client.crt").write_bytes(to_pem(certificate))

    def look() -> str:
        return check_certificate(
            tmp_path / "client.crt", authority.certificate_file, renew="Enrol anew."
        )

    finding = examine("certificate", look)
    assert said in finding.message
    assert finding.state == {0: "problem", 10: "warning", 90: "ok"}[days]


def test_a_certificate_of_another_authority_and_a_readable_key(tmp_path):
    one, other = (Authority.create(tmp_path / name, name) for name in ("one", "other"))
    with pytest.raises(FederationError, match="not issued by this federation's authority"):
        check_certificate(one.certificate_file, other.certificate_file, renew="")
    secret = tmp_path / "one" / "ca.key"
    assert "its owner only" in check_secret(secret)
    secret.chmod(0o644)
    with pytest.raises(FederationError, match="Others can read"):
        check_secret(secret)
    with pytest.raises(FederationError, match="is missing"):
        check_secret(tmp_path / "none")
