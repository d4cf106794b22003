"""The managers of a lab: Beskar7's own, or any program's."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from beskar7.runtime import Runtime
from beskar7_harness.errors import LabError
from emulator.processes import Child, ChildError, stop_together
from scenarios.engine.world import World, WorldError

START_TIMEOUT = 30.0
STOP_TIMEOUT = 12.0
"""Seconds; as a lab gives Beskar7's managers."""


class Crew(Protocol):
    """Who may be killed and started. Errors are :class:`LabError`."""

    def all(self) -> list[tuple[str, bool]]:
        """Every manager so far, and whether it lives."""
        ...

    def kill(self, identity: str) -> None: ...
    def start(self) -> str: ...
    def stop(self) -> None: ...
    def words(self, identity: str) -> str:
        """The last lines of its log; empty where there is none."""
        ...


class WorldCrew:
    """Beskar7's managers, which are the world's."""

    def __init__(self, world: World, logs: Path | None) -> None:
        self._world = world
        self._logs = logs

    def all(self) -> list[tuple[str, bool]]:
        return self._world.managers()

    def kill(self, identity: str) -> None:
        try:
            self._world.kill_manager(identity)
        except WorldError as error:
            raise LabError(str(error)) from None

    def start(self) -> str:
        try:
            return self._world.start_manager()
        except WorldError as error:
            raise LabError(str(error)) from None

    def stop(self) -> None:
        """The world stops them with everything else."""

    def words(self, identity: str) -> str:
        return "" if self._logs is None else last_words(self._logs / f"{identity}.log")


class CommandCrew:
    """Processes of a program that is not ours, each under a guard that ends with us."""

    def __init__(
        self, runtime: Runtime, directory: Path, command: Sequence[str], kubeconfig: Path
    ) -> None:
        self._runtime = runtime
        self._directory = directory
        self._command = list(command)
        self._environment: Mapping[str, str] = {"KUBECONFIG": str(kubeconfig)}
        self._children: dict[str, Child] = {}

    def all(self) -> list[tuple[str, bool]]:
        return [(name, child.alive) for name, child in self._children.items()]

    def kill(self, identity: str) -> None:
        child = self._children[identity]
        # The guard's own death would leave the program behind.
        child.send(b"kill")
        child.join(STOP_TIMEOUT)

    def start(self) -> str:
        name = f"manager-{len(self._children) + 1}"
        child = Child(
            self._runtime,
            name,
            ["beskar7_harness.guard", os.getcwd(), *self._command],
            self._directory / f"{name}.log",
            {**self._environment, "MANAGER_IDENTITY": name},
        )
        self._children[name] = child
        try:
            child.wait_ready(START_TIMEOUT)
        except ChildError as error:
            raise LabError(f"manager_command: {error}") from None
        return name

    def stop(self) -> None:
        stop_together(self._children.values(), STOP_TIMEOUT)

    def words(self, identity: str) -> str:
        return last_words(self._directory / f"{identity}.log")


def last_words(log: Path, lines: int = 8) -> str:
    """The end of a log, indented; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "".join(f"\n    {line}" for line in text.splitlines()[-lines:])
