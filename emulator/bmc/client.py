"""The client of a fleet's control endpoint, for the lab and for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from emulator.bmc.log import LogPage
from emulator.faultcontrol import ControlError, FaultControl

ADDRESS, TOKEN = "fleet-control", "fleet-token"
"""Files of a lab's directory: the endpoint's URL, and what it wants to see (both 0600)."""


class FleetControlError(ControlError):
    """The fleet's endpoint refused, or could not be reached; the message says why."""


class FleetControl(FaultControl):
    """One fleet's control endpoint."""

    path = "/control/faults"
    failure = FleetControlError

    @classmethod
    def of(cls, directory: Path) -> FleetControl:
        """The fleet of the lab in ``directory``. Raises ``OSError``."""
        url = (directory / ADDRESS).read_text(encoding="utf-8").strip()
        return cls(url, (directory / TOKEN).read_text(encoding="utf-8").strip())

    def log(self, after_records: int = 0, after_events: int = 0) -> LogPage:
        """The entries after the given numbers; ask again while ``more``."""
        return LogPage.from_json(
            self._call(
                "GET", f"/control/log?after_records={after_records}&after_events={after_events}"
            )
        )

    def state(self) -> dict[str, dict[str, Any]]:
        """Power, boot, override and media by host name."""
        hosts: dict[str, dict[str, Any]] = self._call("GET", "/control/state")["hosts"]
        return hosts

    def rotated_credentials(self, fault_id: str) -> dict[str, tuple[str, str]]:
        """User name and password by host, where a fault of that id has rotated them."""
        hosts = self._call("GET", f"{self.path}/{quote(fault_id, safe='')}/credentials")["hosts"]
        return {host: (login["username"], login["password"]) for host, login in hosts.items()}

    def metrics(self) -> dict[str, Any]:
        """What :func:`emulator.bmc.metrics.join` makes; ``busy`` is a share of a core, 0 to 1."""
        found: dict[str, Any] = self._call("GET", "/control/metrics")
        return found
