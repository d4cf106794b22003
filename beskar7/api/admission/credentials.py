"""The Secret of a BMC: advice only, for it may be made after the host, and be changed at any time.

No message repeats anything of its content.
"""

from __future__ import annotations

import base64
import binascii

from beskar7.api.admission.context import Context, Findings, Unreadable, dig, mapping, text
from beskar7.api.kinds import SECRET
from beskar7.api.meta import parse_rfc3339
from beskar7.api.objects import Object

TYPES = ("Opaque", "kubernetes.io/basic-auth")
"""Both hold username and password; the second is Kubernetes' own type for them."""
_COMMON = frozenset({"password", "admin", "root", "123456", "default"})
_SHORT, _RATHER_SHORT = 8, 12  # characters (facts section 4)
_MAX_AGE_DAYS = 90  # facts section 4
_DAY = 86400.0  # seconds


def advise(namespace: str, name: str, context: Context, found: Findings) -> None:
    """Warn of a Secret that is missing, incomplete, weak or old."""
    try:
        secret = found.look_up(context, SECRET, namespace, name)
    except Unreadable:
        return
    if secret is None:
        found.warnings.append(
            f'Secret "{name}" does not exist in namespace "{namespace}" yet; the host is enrolled '
            "once it does"
        )
        return
    said: list[str] = []
    for key in ("username", "password"):
        if not _decoded(secret, key):
            said.append(f"has no {key}; the BMC cannot be reached without")
    said += _weakness(_decoded(secret, "password"))
    type = text(secret, "type") or "Opaque"
    if type not in TYPES:
        said.append(f"is of type {type}; {' or '.join(TYPES)} is expected")
    days = (context.now - _last_written(secret, context.now)) / _DAY
    if days > _MAX_AGE_DAYS:
        said.append(f"was written {days:.0f} days ago; rotate it every {_MAX_AGE_DAYS} days")
    found.warnings += [f'Secret "{name}" {words}' for words in said]


def _decoded(secret: Object, key: str) -> str:
    """ "" for what is absent or no base64; bytes that are no text count as such."""
    try:
        return base64.b64decode(text(secret, "data", key), validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return ""


def _weakness(password: str) -> list[str]:
    if not password:
        return []
    if password.lower() in _COMMON:
        return ["has one of the passwords that are tried first"]
    if len(password) < _SHORT:
        return [f"has a password of fewer than {_SHORT} characters"]
    if len(password) < _RATHER_SHORT:
        return [f"has a password of fewer than {_RATHER_SHORT} characters; longer is safer"]
    return []


def _last_written(secret: Object, otherwise: float) -> float:
    """UTC seconds. A Secret that is rotated in place keeps its creationTimestamp."""
    meta = mapping(secret, "metadata")
    entries = meta.get("managedFields") or ()
    times = [text(entry, "time") for entry in entries if dig(entry, "fieldsV1", "f:data")]
    latest = 0.0
    for written in (*times, text(meta, "creationTimestamp")):
        try:
            latest = max(latest, parse_rfc3339(written))
        except ValueError:
            continue
    return latest or otherwise
