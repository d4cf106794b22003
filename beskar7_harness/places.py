"""Where a lab's world is: in processes of its own, or in this process's virtual time."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Protocol

from beskar7.runtime import VirtualRuntime
from beskar7_harness.clocks import Driver, LiveDriver, VirtualDriver
from beskar7_harness.crew import CommandCrew, Crew, WorldCrew
from beskar7_harness.errors import LabError
from beskar7_harness.settings import LabSettings
from scenarios.engine.world import World, WorldError

_QUIET = logging.NullHandler()


class Place(Protocol):
    """Where a lab's world is: its processes, or its virtual time."""

    driver: Driver
    world: World
    crew: Crew

    @property
    def logs(self) -> Path | None: ...
    def fleet_state(self) -> dict[str, dict[str, Any]]: ...
    def check(self) -> None: ...
    def close(self) -> None: ...


class LivePlace:
    """Processes on loopback, in a private directory that goes with them. Raises LabError."""

    def __init__(self, chosen: LabSettings) -> None:
        from scenarios.engine.live import LiveWorld  # the Kubernetes client takes half a second

        self.driver: Driver = LiveDriver()
        self._live = LiveWorld(chosen.scenario, chosen.seed)
        self.world: World = self._live
        try:
            self._live.start()
            lab = self._live.lab
            self.crew: Crew = WorldCrew(self.world, lab.directory)
            if chosen.manager_command:
                self.crew = CommandCrew(
                    self._live.runtime, lab.directory, chosen.manager_command, lab.kubeconfig
                )
                for _ in range(chosen.managers):
                    self.crew.start()
        except WorldError as error:
            self.close()
            raise LabError(str(error)) from None
        except BaseException:
            self.close()
            raise

    @property
    def logs(self) -> Path:
        return self._live.lab.directory

    def fleet_state(self) -> dict[str, dict[str, Any]]:
        return self._live.lab.fleet.state()

    def check(self) -> None:
        try:
            self._live.check()
        except WorldError as error:
            raise LabError(str(error)) from None

    def close(self) -> None:
        crew = getattr(self, "crew", None)
        try:
            if crew is not None:
                crew.stop()
        finally:
            self._live.stop()


class VirtualPlace:
    """A world in virtual time, in this process."""

    logs = None

    def __init__(self, chosen: LabSettings) -> None:
        from scenarios.engine.virtual import VirtualWorld

        # Without a handler Python prints what managers warn of, also where logs are not captured.
        logging.getLogger("beskar7").addHandler(_QUIET)
        runtime = VirtualRuntime(chosen.seed)
        self.driver: Driver = VirtualDriver(runtime)
        self._virtual = self.driver.do(VirtualWorld, chosen.scenario, chosen.seed, runtime)
        self.world: World = self._virtual
        self.crew: Crew = WorldCrew(self.world, None)
        try:
            self.driver.do(self._virtual.start)
        except BaseException:
            self.close()
            raise

    def fleet_state(self) -> dict[str, dict[str, Any]]:
        return self._virtual.fleet.state()

    def check(self) -> None:
        """Nothing of it can end by itself."""

    def close(self) -> None:
        try:
            self._virtual.stop()
        finally:
            self.driver.close()


def place(chosen: LabSettings) -> Place:
    """Put the world up. Raises LabError."""
    return VirtualPlace(chosen) if chosen.clock == "virtual" else LivePlace(chosen)
