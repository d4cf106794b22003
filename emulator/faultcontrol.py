"""The client's side of a control endpoint through which faults are set: the fleet's, the API's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol
from urllib.parse import quote

import requests

TIMEOUT = 10.0
"""Seconds for one answer; the endpoints have no work that takes longer."""


class ControlError(Exception):
    """The endpoint refused, or could not be reached; the message says why."""

    status = 0
    """Of the answer; 0: there was none."""


class FaultLike(Protocol):
    """A fault of either vocabulary."""

    def to_dict(self) -> dict[str, Any]: ...


class FaultControl:
    """One endpoint. Use it from one thread. Every method raises ``failure``."""

    path: ClassVar[str]
    """Of the faults."""
    failure: ClassVar[type[ControlError]] = ControlError

    def __init__(self, url: str, token: str, verify: bool | str = True) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        # Neither a proxy nor ~/.netrc has anything to say on the loopback.
        self._session.trust_env = False
        self._session.verify = verify
        self._session.headers["Authorization"] = f"Bearer {token}"

    def faults(self) -> list[dict[str, Any]]:
        """What is set: the fault, its ``hits`` and whether it is ``active``."""
        found: list[dict[str, Any]] = self._call("GET", self.path)["faults"]
        return found

    def add_fault(self, fault: FaultLike | Mapping[str, Any]) -> str:
        """Put one fault in force from now on; returns its id."""
        return self.add_faults([fault])[0]

    def add_faults(
        self, faults: Sequence[FaultLike | Mapping[str, Any]], origin: float | None = None
    ) -> list[str]:
        """All of them or, on an error, none. ``start`` counts from ``origin`` (default: now)."""
        given = [dict(f) if isinstance(f, Mapping) else f.to_dict() for f in faults]
        answer = self._call("POST", self.path, {"faults": given, "origin": origin})
        return [entry["id"] for entry in answer["faults"]]

    def clear_fault(self, fault_id: str) -> None:
        self._call("DELETE", f"{self.path}/{quote(fault_id, safe='')}")

    def clear_faults(self) -> int:
        """All of them; says how many there were."""
        return int(self._call("DELETE", self.path)["cleared"])

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self._url + path, json=body, timeout=TIMEOUT)
            data: dict[str, Any] = answer.json()
        except requests.RequestException as error:
            raise self.failure(f"{method} {self._url}{path}: {error}") from None
        if answer.status_code >= 400:
            reason = data.get("error") or data.get("message") or answer.status_code
            refusal = self.failure(f"{method} {path}: {reason}")
            refusal.status = answer.status_code
            raise refusal
        return data
