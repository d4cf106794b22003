"""An authority of one's own and a server certificate from it, for servers on the loopback."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from emulator.privatefiles import write_private

CLOCK_SKEW = timedelta(minutes=5)
"""How far back validity begins, for a clock that is a little behind."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of the PEM files."""

    authority: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        return context


def issue(
    files: Certificates,
    *,
    authority: str,
    subject: str,
    names: Sequence[str],
    wall: float,
    lifetime: timedelta,
    expired: Path | None = None,
) -> None:
    """Make both anew and write them; the server's key is 0600, the authority's is never written.

    ``expired`` gets a certificate like the server's, for the same key, that was good until a day
    ago.

    ``authority`` and ``subject`` are common names, ``names`` the host names and IP addresses that
    the certificate is good for, ``wall`` is now in seconds since the epoch.
    """
    now = datetime.fromtimestamp(wall, UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name(authority)
    ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        _builder(ca_name, ca_name, ca_key.public_key(), now, lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(ca_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())

    def certify(since: datetime, lasts: timedelta) -> bytes:
        builder = _builder(_name(subject), ca_name, key.public_key(), since, lasts)
        alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
        subject_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        authority_id = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id)
        return (
            builder.add_extension(alternatives, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(subject_id, critical=False)
            .add_extension(authority_id, critical=False)
            .sign(ca_key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )

    if expired is not None:
        day = timedelta(days=1)
        expired.write_bytes(certify(now - 2 * day, day))
    files.authority.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    files.certificate.write_bytes(certify(now, lifetime))
    write_private(
        files.key,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
