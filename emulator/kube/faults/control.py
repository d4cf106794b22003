"""The client of the API server's own lab endpoints, for the lab and for tests."""

from __future__ import annotations

from pathlib import Path

import yaml

from emulator.faultcontrol import ControlError, FaultControl


class ApiControlError(ControlError):
    """The server refused, or could not be reached; the message says why."""


class ApiControl(FaultControl):
    """One API server's lab endpoints."""

    path = "/lab/faults"
    failure = ApiControlError

    def __init__(self, url: str, token: str, authority: Path | None = None) -> None:
        """``authority`` is the PEM file of the server's CA, None for plain HTTP."""
        super().__init__(url, token, True if authority is None else str(authority))

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
