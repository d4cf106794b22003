"""From what sushy raises, and from what leaks through it, to the port's errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
from sushy import exceptions as sushy_errors

from beskar7.redfish.port import (
    BmcBusy,
    BmcCredentialsRefused,
    BmcError,
    BmcFault,
    BmcRequestRefused,
    BmcUnreachable,
)

BUSY_MESSAGES = (
    *("UnableToModifyDuringSystemPOST", "InvalidOperationForSystemState", "ResourceInUse"),
    "SYS518",
)
"""Messages by which BMCs say "not now" under a status that says "never".

The first two are iLO's (its message registry; sushy's connector knows the second), SYS518 is
iDRAC's (sushy's connector), ResourceInUse is of the DMTF's Base registry.
"""


class translated:  # noqa: N801 # reads as a word in "with translated(address)"
    """Turns sushy's errors, and what leaks through it, into :class:`BmcError`.

    ``doubt`` is called where what was learned of the BMC earlier may be what is wrong.
    """

    def __init__(self, address: str, doubt: Callable[[], None] = lambda: None) -> None:
        self._address = address
        self._doubt = doubt

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: Any) -> None:
        found = _port_error(self._address, error)
        if isinstance(found or error, BmcFault | BmcRequestRefused):
            self._doubt()
        if found is not None:
            raise found from error


def _port_error(address: str, error: BaseException | None) -> BmcError | None:
    """The port's own for it; None where it is that already, or none that BMCs cause."""
    if isinstance(error, sushy_errors.HTTPError):
        return _from_http(address, error)
    if isinstance(error, sushy_errors.ConnectionError | requests.RequestException):
        # The requests library's text names pools and object addresses; its cause is enough.
        lost_write = getattr(error, "lost_write", False)
        return BmcUnreachable(f"{address}: {_cause(error)}", lost_write=lost_write)
    if isinstance(
        error, sushy_errors.SushyError | ValueError | TypeError | KeyError | AttributeError
    ):
        # HTML, broken JSON, a list for an object: sushy lets them through (measured).
        return BmcFault(f"{address}: answer is not Redfish: {error}")
    return None


def _from_http(address: str, error: Any) -> BmcError:
    code = int(error.status_code or 0)
    text = f"{address}: HTTP {code}"
    if code in (401, 403):
        return BmcCredentialsRefused(f"{text}: the BMC refused the credentials")
    said = _message_ids(error)
    busy = next((name for name in BUSY_MESSAGES for ident in said if ident.endswith(name)), "")
    if code in (409, 429, 503) or busy:
        why = f"{text}: the BMC is busy{f' ({busy})' if busy else ''}"
        return BmcBusy(why, getattr(error, "retry_after", 0.0))
    if code >= 500:
        return BmcFault(f"{text}: {str(error)[:300]}")
    return BmcRequestRefused(f"{text}: {str(error)[:300]}")


def _message_ids(error: Any) -> list[str]:
    """The MessageIds of a Redfish error; none where its body is no such thing."""
    body = getattr(error, "body", None)
    entries = body.get("@Message.ExtendedInfo") if isinstance(body, dict) else None
    found = entries if isinstance(entries, list) else []
    return [str(item.get("MessageId")) for item in found if isinstance(item, dict)]


def _cause(error: Any) -> str:
    text = str(error)
    lowered = text.lower()
    for marker, meaning in (
        ("answer larger than", "the answer is too large"),
        ("read timed out", "no answer in time"),
        ("connecttimeout", "no connection in time"),
        ("connection refused", "connection refused"),
        ("connection reset", "connection reset"),
        ("certificate verify failed", "the certificate is not trusted"),
        ("remotedisconnected", "the BMC closed the connection without an answer"),
        ("name or service not known", "the name does not resolve"),
    ):
        if marker in lowered:
            return meaning
    return text[:300]
