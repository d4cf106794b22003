"""The fleet's certificates: an authority of its own, and one certificate for all addresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from emulator.bmc.gate import Contexts
from emulator.certificates import Certificates, issue

LIFETIME = timedelta(days=30)


def make(directory: Path, addresses: Sequence[str], wall: float) -> tuple[Contexts, Path]:
    """Write ``ca.crt``, ``tls.crt`` and ``tls.key`` (0600); returns the contexts and ``ca.crt``.

    Beside them the certificate that ran out yesterday, for faults: ``expired.crt``.

    ``wall`` is the present in seconds since the epoch. The authority's key is not kept.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = Certificates(directory / "ca.crt", directory / "tls.crt", directory / "tls.key")
    expired = directory / "expired.crt"
    issue(
        files,
        authority="Beskar7 fleet CA",
        subject="Beskar7 fleet",
        names=addresses,
        wall=wall,
        lifetime=LIFETIME,
        expired=expired,
    )
    old = Certificates(files.authority, expired, files.key)
    return Contexts(files.server_context(), old.server_context()), files.authority
