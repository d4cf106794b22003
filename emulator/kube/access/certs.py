"""The API's certificates, made for one lab and kept with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from emulator.certificates import Certificates, issue
from emulator.privatefiles import is_private

LIFETIME = timedelta(days=365)
RENEW = timedelta(days=7)
"""What is left of its life when a certificate is made anew, with its authority."""


def lab_certificates(directory: Path, wall: float) -> Certificates:
    """CA and server certificate for 127.0.0.1 and localhost in ``directory``.

    Those that an earlier server left there stay while they are good, so that kubeconfigs that
    clients have loaded stay good too. ``wall`` is now, in seconds since the epoch. The CA's key
    is never written.
    """
    now = datetime.fromtimestamp(wall, UTC)
    kept = Certificates(
        directory / "ca.crt", directory / "apiserver.crt", directory / "apiserver.key"
    )
    if not _good(kept, now):
        issue(
            kept,
            authority="beskar7-lab-ca",
            subject="kube-apiserver",
            names=("localhost", "127.0.0.1"),
            wall=wall,
            lifetime=LIFETIME,
        )
    return kept


def _good(kept: Certificates, now: datetime) -> bool:
    """All three are there, belong together, and will last a while."""
    try:
        authority = x509.load_pem_x509_certificate(kept.authority.read_bytes())
        certificate = x509.load_pem_x509_certificate(kept.certificate.read_bytes())
        key = serialization.load_pem_private_key(kept.key.read_bytes(), None)
        certificate.verify_directly_issued_by(authority)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    lasting = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW
    return lasting and is_private(kept.key) and key.public_key() == certificate.public_key()
