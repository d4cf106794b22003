"""The client of a fleet's control endpoint, for the lab and for tests."""

from __future__ import annotations

from typing import Any

from emulator.bmc.log import LogPage
from emulator.faultcontrol import ControlError, FaultControl


class FleetControlError(ControlError):
    """The fleet's endpoint refused, or could not be reached; the message says why."""


class FleetControl(FaultControl):
    """One fleet's control endpoint."""

    path = "/control/faults"
    failure = FleetControlError

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

    def metrics(self) -> dict[str, float]:
        """``busy`` and ``busy_max``: share of the server's thread in use, 0 to 1."""
        found: dict[str, float] = self._call("GET", "/control/metrics")
        return found
