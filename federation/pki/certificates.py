"""X.509 certificates as this federation uses them (RFC 5280), and how one is read and checked."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ...errors import FederationError
from .keys import PrivateKey, PublicKey

#: Certificates begin a little in the past, for machines whose clocks are behind.
_BACKDATED = datetime.timedelta(minutes=15)


def now() -> datetime.datetime:
    """Return the time in UTC."""
    return datetime.datetime.now(datetime.UTC)


def subject(name: str) -> x509.Name:
    """Return the distinguished name of a member of the federation."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "fedscan"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def common_name(name: x509.Name) -> str:
    """Return the common name within a distinguished name; empty without exactly one."""
    names = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else ""


def general_name(host: str) -> x509.GeneralName:
    """Return a host name or an IP address as it stands in a certificate."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def make_authority(name: str, key: PrivateKey, *, days: int) -> x509.Certificate:
    """Return the self-signed certificate of a certificate authority without sub-authorities."""
    builder = _builder(subject(name), subject(name), key.public_key(), days)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(authority=True), critical=True)
    return builder.sign(key, SHA384())


def make_server(
    hosts: Sequence[str],
    public_key: PublicKey,
    authority: x509.Certificate,
    key: PrivateKey,
    *,
    days: int,
) -> x509.Certificate:
    """Return a server's certificate for host names and IP addresses."""
    builder = _builder(subject(hosts[0]), authority.subject, public_key, days)
    names = x509.SubjectAlternativeName([general_name(host) for host in hosts])
    return _leaf(builder, ExtendedKeyUsageOID.SERVER_AUTH, authority, names).sign(key, SHA384())


def make_client(
    site: str,
    public_key: PublicKey,
    authority: x509.Certificate,
    key: PrivateKey,
    *,
    days: int,
) -> x509.Certificate:
    """Return a site's certificate, good for being a client only."""
    builder = _builder(subject(site), authority.subject, public_key, days)
    return _leaf(builder, ExtendedKeyUsageOID.CLIENT_AUTH, authority).sign(key, SHA384())


def read_certificate(content: bytes, what: str) -> x509.Certificate:
    """Read one certificate from PEM.

    Args:
        content: The PEM text.
        what: What it is, for the error.

    Raises:
        FederationError: If it is not a certificate.
    """
    try:
        return x509.load_pem_x509_certificate(content)
    except ValueError as error:
        raise FederationError(f"{what} is not a certificate in PEM.") from error


def load_certificate(path: Path) -> x509.Certificate:
    """Read one certificate from a file.

    Raises:
        FederationError: If the file is missing or is not a certificate.
    """
    try:
        return read_certificate(path.read_bytes(), str(path))
    except OSError as error:
        raise FederationError(f"The certificate {path}: {error.strerror}.") from error


def to_pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM)


def require_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> None:
    """Refuse a certificate that another authority signed.

    Raises:
        FederationError: If the signature is not the authority's.
    """
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception as error:  # cryptography raises several kinds that have no common base
        raise FederationError(
            "The certificate was not issued by this federation's authority.",
            hint="Use the certificate and the authority of the same welcome file.",
        ) from error


def days_left(certificate: x509.Certificate) -> float:
    """Return the days until a certificate expires; negative if it has."""
    return (certificate.not_valid_after_utc - now()).total_seconds() / 86_400


def _builder(
    name: x509.Name, issuer: x509.Name, public_key: PublicKey, days: int
) -> x509.CertificateBuilder:
    begin = now() - _BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _leaf(
    builder: x509.CertificateBuilder,
    purpose: x509.ObjectIdentifier,
    authority: x509.Certificate,
    names: x509.SubjectAlternativeName | None = None,
) -> x509.CertificateBuilder:
    identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    builder = builder.add_extension(_usage(authority=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    builder = builder.add_extension(issuer, critical=False)
    return builder.add_extension(names, critical=False) if names is not None else builder


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
