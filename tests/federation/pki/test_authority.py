"""Enrolment: keys stay, requests prove their keys, certificates are good for one thing only."""

from __future__ import annotations

import json
import stat

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from fedscan.errors import FederationError
from fedscan.federation.pki.authority import Authority, serial_text
from fedscan.federation.pki.certificates import days_left, read_certificate, require_issued_by
from fedscan.federation.pki.enrolment import EnrolmentRequest, Welcome
from fedscan.federation.pki.keys import new_key, public_text, read_private_key, write_private_key
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def authority(tmp_path):
    return Authority.create(tmp_path / "ca", "federation")


def request_of(site: str) -> EnrolmentRequest:
    return EnrolmentRequest.make(site, new_key(), new_key())


def issue(authority: Authority, request: EnrolmentRequest) -> x509.Certificate:
    pem = authority.issue_site(request.site, request.public_key(), request.node_key)
    return read_certificate(pem, "it")


def test_a_private_key_is_the_owners_alone_and_never_replaced(tmp_path):
    path, key = tmp_path / "keys" / "tls.key", new_key()
    write_private_key(path, key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FederationError, match="exists already"):
        write_private_key(path, new_key())
    assert public_text(read_private_key(path).public_key()) == public_text(key.public_key())


def test_flower_reads_the_nodes_key(tmp_path):
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    path, key = tmp_path / "node.key", new_key()
    write_private_key(path, key, openssh=True)
    read = load_ssh_private_key(path.read_bytes(), None)
    assert public_text(read.public_key()) == public_text(key.public_key())
    assert public_text(read_private_key(path).public_key()) == public_text(key.public_key())


def test_a_request_survives_its_file_and_has_one_fingerprint():
    request = request_of("hospital-a")
    read = EnrolmentRequest.from_json(request.to_json())
    assert read == request
    assert read.fingerprint == request.fingerprint
    assert request_of("hospital-a").fingerprint != request.fingerprint


@pytest.mark.parametrize("field", ["site", "certificate_request", "node_key", "signature"])
def test_a_request_with_a_part_of_another_is_refused(field):
    mine, other = (json.loads(request_of(site).to_json()) for site in ("a", "b"))
    with pytest.raises(FederationError):
        EnrolmentRequest.from_json(json.dumps({**mine, field: other[field]}).encode())


@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=50).map(str.encode)))
def test_anything_else_is_refused_with_a_clear_error(content):
    for kind in (EnrolmentRequest, Welcome):
        with pytest.raises(FederationError):
            kind.from_json(content)


@pytest.mark.parametrize("name", ["", "../a", "a/b", "-a", "a" * 65, "a b", "ä"])
def test_a_site_cannot_be_called_so(name):
    with pytest.raises(FederationError, match="cannot be the name"):
        request_of(name)


def test_a_site_certificate_is_the_authoritys_and_only_for_a_client(authority):
    certificate = issue(authority, request_of("hospital-a"))
    require_issued_by(certificate, authority.certificate)
    assert 390 < days_left(certificate) < 398
    verifier = PolicyBuilder().store(Store([authority.certificate]))
    with pytest.raises(VerificationError):
        verifier.build_server_verifier(x509.DNSName("hospital-a")).verify(certificate, [])
    other = Authority.create(authority.certificate_file.parent / "other", "other")
    with pytest.raises(FederationError, match="was not issued"):
        require_issued_by(certificate, other.certificate)


def test_a_server_certificate_is_good_for_its_names_only(authority):
    pem = authority.issue_server(["fl.example.org", "127.0.0.1"], new_key().public_key())
    certificate = read_certificate(pem, "it")
    verifier = PolicyBuilder().store(Store([authority.certificate]))
    verifier.build_server_verifier(x509.DNSName("fl.example.org")).verify(certificate, [])
    with pytest.raises(VerificationError):
        verifier.build_server_verifier(x509.DNSName("example.org")).verify(certificate, [])


def test_revoking_is_on_record_and_in_the_list(authority):
    certificate = issue(authority, request_of("hospital-a"))
    kept = issue(authority, request_of("hospital-b"))
    assert authority.revoke("hospital-a") == 1
    listed = x509.load_pem_x509_crl(authority.revocation_file.read_bytes())
    assert listed.is_signature_valid(authority.certificate.public_key())
    assert listed.get_revoked_certificate_by_serial_number(certificate.serial_number)
    assert listed.get_revoked_certificate_by_serial_number(kept.serial_number) is None
    assert [entry.valid for entry in authority.issued()] == [False, True]
    with pytest.raises(FederationError, match="no site"):
        authority.revoke("hospital-a")


def test_enrolling_again_revokes_what_was_before(authority):
    first = issue(authority, request_of("hospital-a"))
    issue(authority, request_of("hospital-a"))
    assert [entry.valid for entry in authority.issued()] == [False, True]
    listed = x509.load_pem_x509_crl(authority.revocation_file.read_bytes())
    assert listed.get_revoked_certificate_by_serial_number(first.serial_number)


def test_two_sites_cannot_share_a_node(authority):
    node = new_key()
    issue(authority, EnrolmentRequest.make("hospital-a", new_key(), node))
    with pytest.raises(FederationError, match="same node key"):
        issue(authority, EnrolmentRequest.make("hospital-b", new_key(), node))


@pytest.mark.parametrize(("serial", "text"), [(0xAB, "AB"), (0xABC, "0ABC"), (0x1, "01")])
def test_serial_numbers_are_written_in_whole_bytes(serial, text):
    assert serial_text(serial) == text
