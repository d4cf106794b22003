"""The faults of kind clock-skew in a live world: files that the managers' runtimes follow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beskar7.redfish.sushy_bmc import agent
from beskar7.runtime import Runtime
from beskar7.runtime.skew import ENVIRONMENT
from emulator.fields import FieldError
from emulator.kube.faults.faultspec import ApiFault, Asked
from emulator.privatefiles import write_private

KIND = "clock-skew"


class ClockSkews:
    """One file for each manager, in ``directory``; times in them are ``runtime.now()``."""

    def __init__(self, runtime: Runtime, directory: Path) -> None:
        self._runtime = runtime
        self._directory = directory
        self._faults: dict[str, tuple[ApiFault, float]] = {}
        self._managers: list[str] = []

    def environment(self, identity: str) -> dict[str, str]:
        """What a manager is started with, so that its clock can be put wrong at any time."""
        self._managers.append(identity)
        self._write(identity)
        return {ENVIRONMENT: str(self._path(identity))}

    def add(self, data: Mapping[str, Any]) -> None:
        """Raises FieldError."""
        fault = ApiFault.from_dict(dict(data))
        if fault.id in self._faults:
            raise FieldError(f"fault.id: {fault.id!r} is in force already; clear it first")
        self._faults[fault.id] = (fault, self._runtime.now())
        self._write_all()

    def clear(self, id: str | None = None) -> bool:
        """End one fault, or all; whether there was any."""
        gone = [name for name in self._faults if id in (None, name)]
        for name in gone:
            del self._faults[name]
        if gone:
            self._write_all()
        return bool(gone)

    def _write_all(self) -> None:
        for identity in self._managers:
            self._write(identity)

    def _write(self, identity: str) -> None:
        asked = Asked(agent(identity), "", "")
        windows = [
            fault.skew(origin).to_json()
            for fault, origin in self._faults.values()
            if fault.select.admits(asked)
        ]
        write_private(self._path(identity), json.dumps(windows).encode())

    def _path(self, identity: str) -> Path:
        return self._directory / f"{identity}.clock"
