"""The BMCs of a lab, as the fleet itself sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from beskar7_harness.chronicle import Chronicle
from beskar7_harness.clocks import Driver
from emulator.bmc.log import BmcEvent, BmcRecord


class Fleet:
    """What the machines are and what was asked of their BMCs; the controller has no say in it."""

    def __init__(
        self, driver: Driver, chronicle: Chronicle, state: Callable[[], dict[str, dict[str, Any]]]
    ) -> None:
        self._driver = driver
        self._chronicle = chronicle
        self._state = state

    def state(self) -> dict[str, dict[str, Any]]:
        """Power, boot, override and media of each machine now, by host name."""
        return self._driver.do(self._state)

    def requests(self, host: str | None = None) -> list[BmcRecord]:
        """What the BMCs were asked since the lab was up, oldest first; of one host, or of all."""
        self._chronicle.read()
        return [r for r in self._chronicle.evidence.requests if host in (None, r.host)]

    def events(self, host: str | None = None) -> list[BmcEvent]:
        """What the machines did since the lab was up: power, boots, media."""
        self._chronicle.read()
        return [e for e in self._chronicle.evidence.events if host in (None, e.host)]
