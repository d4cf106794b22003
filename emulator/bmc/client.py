"""The client of a fleet's control endpoint, for the lab and for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import requests

from emulator.bmc.log import LogPage
from emulator.faults import Fault

TIMEOUT = 10.0
"""Seconds for one answer; the endpoint has no work that takes longer."""


class FleetControlError(Exception):
    """The endpoint refused, or could not be reached; the message says why."""


class FleetControl:
    """One fleet's control endpoint. Use it from one thread."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        # Neither a proxy nor ~/.netrc has anything to say on the loopback.
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"

    def log(self, after_records: int = 0, after_events: int = 0) -> LogPage:
        """The entries after the given numbers; ask again while ``more``."""
        return LogPage.from_json(
            self._call(
                "GET", f"/control/log?after_records={after_records}&after_events={after_events}"
            )
        )

    def faults(self) -> list[dict[str, Any]]:
        """What is set: the fault, and its ``hosts``, ``hits`` and whether it is ``active``."""
        found: list[dict[str, Any]] = self._call("GET", "/control/faults")["faults"]
        return found

    def add_fault(self, fault: Fault | Mapping[str, Any]) -> str:
        """Put one fault in force from now on; returns its id."""
        return self.add_faults([fault])[0]

    def add_faults(
        self, faults: Sequence[Fault | Mapping[str, Any]], origin: float | None = None
    ) -> list[str]:
        """All of them or, on an error, none. ``start`` counts from ``origin`` (default: now)."""
        entries = [fault.to_dict() if isinstance(fault, Fault) else dict(fault) for fault in faults]
        answer = self._call("POST", "/control/faults", {"faults": entries, "origin": origin})
        return [entry["id"] for entry in answer["faults"]]

    def clear_fault(self, fault_id: str) -> None:
        self._call("DELETE", f"/control/faults/{quote(fault_id, safe='')}")

    def clear_faults(self) -> int:
        """All of them; says how many there were."""
        return int(self._call("DELETE", "/control/faults")["cleared"])

    def state(self) -> dict[str, dict[str, Any]]:
        """Power, boot, override and media by host name."""
        hosts: dict[str, dict[str, Any]] = self._call("GET", "/control/state")["hosts"]
        return hosts

    def metrics(self) -> dict[str, float]:
        """``busy`` and ``busy_max``: share of the server's thread in use, 0 to 1."""
        found: dict[str, float] = self._call("GET", "/control/metrics")
        return found

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self._url + path, json=body, timeout=TIMEOUT)
            data: dict[str, Any] = answer.json()
        except requests.RequestException as error:
            raise FleetControlError(f"{method} {self._url}{path}: {error}") from None
        if answer.status_code >= 400:
            raise FleetControlError(f"{method} {path}: {data.get('error', answer.status_code)}")
        return data
