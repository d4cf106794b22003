"""The client of the API server's own lab endpoints, for the lab and for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
import yaml

from emulator.kube.faults.faultspec import ApiFault

TIMEOUT = 10.0
"""Seconds for one answer; the endpoints have no work that takes longer."""


class ApiControlError(Exception):
    """The server refused, or could not be reached; the message says why."""


class ApiControl:
    """One API server's lab endpoints. Use it from one thread."""

    def __init__(self, url: str, token: str, authority: Path | None = None) -> None:
        """``authority`` is the PEM file of the server's CA, None for plain HTTP."""
        self._url = url.rstrip("/")
        self._session = requests.Session()
        # Neither a proxy nor ~/.netrc has anything to say on the loopback.
        self._session.trust_env = False
        self._session.verify = True if authority is None else str(authority)
        self._session.headers["Authorization"] = f"Bearer {token}"

    @classmethod
    def of(cls, directory: Path) -> ApiControl:
        """The server that was started with ``--dir directory``. Raises ``OSError``."""
        config = yaml.safe_load((directory / "kubeconfig").read_text(encoding="utf-8"))
        authority = directory / "ca.crt"
        return cls(
            config["clusters"][0]["cluster"]["server"],
            (directory / "token").read_text(encoding="utf-8"),
            authority if authority.exists() else None,
        )

    def faults(self) -> list[dict[str, Any]]:
        """What is set: the fault, its ``hits`` and whether it is ``active``."""
        found: list[dict[str, Any]] = self._call("GET", "/lab/faults")["faults"]
        return found

    def add_fault(self, fault: ApiFault | Mapping[str, Any]) -> str:
        """Put one fault in force from now on; returns its id."""
        return self.add_faults([fault])[0]

    def add_faults(
        self, faults: Sequence[ApiFault | Mapping[str, Any]], origin: float | None = None
    ) -> list[str]:
        """All of them or, on an error, none. ``start`` counts from ``origin`` (default: now)."""
        given = [f.to_dict() if isinstance(f, ApiFault) else dict(f) for f in faults]
        answer = self._call("POST", "/lab/faults", {"faults": given, "origin": origin})
        return [entry["id"] for entry in answer["faults"]]

    def clear_fault(self, fault_id: str) -> None:
        self._call("DELETE", f"/lab/faults/{quote(fault_id, safe='')}")

    def clear_faults(self) -> int:
        """All of them; says how many there were."""
        return int(self._call("DELETE", "/lab/faults")["cleared"])

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self._url + path, json=body, timeout=TIMEOUT)
            data: dict[str, Any] = answer.json()
        except requests.RequestException as error:
            raise ApiControlError(f"{method} {self._url}{path}: {error}") from None
        if answer.status_code >= 400:
            raise ApiControlError(f"{method} {path}: {data.get('message', answer.status_code)}")
        return data
