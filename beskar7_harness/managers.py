"""What a test does with a lab's managers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beskar7_harness.errors import LabError
from scenarios.engine.evidence import Incident
from scenarios.engine.targets import choose
from scenarios.engine.world import WorldError

if TYPE_CHECKING:
    from beskar7_harness.chronicle import Chronicle
    from beskar7_harness.clocks import Driver
    from beskar7_harness.crew import Crew

MAX_MANAGERS = 50


class Managers:
    """Errors are :class:`LabError`. A manager that was killed stays dead, as another is started."""

    def __init__(self, driver: Driver, chronicle: Chronicle, crew: Crew) -> None:
        self._driver = driver
        self._chronicle = chronicle
        self._crew = crew
        self._killed: set[str] = set()

    def names(self) -> list[str]:
        """Of those that live, oldest first."""
        return [name for name, alive in self._crew.all() if alive]

    def leader(self) -> str:
        """Who holds the managers' lease by the API's word; empty for nobody."""
        return self._driver.do(self._chronicle.leader)

    def kill(self, which: str = "leader") -> str:
        """SIGKILL one: ``leader``, ``follower``, ``any``, or a name; who it was."""
        return self._driver.do(self._kill, which)

    def start(self) -> str:
        """One more; its name, once it serves."""
        return self._driver.do(self._start)

    def restart(self, which: str = "leader") -> str:
        """Kill one and start another; the name of the new one."""
        self.kill(which)
        return self.start()

    def scale(self, count: int) -> list[str]:
        """As many as ``count``: more are started, or followers first are killed; who lives then."""
        if not isinstance(count, int) or not 0 <= count <= MAX_MANAGERS:
            raise LabError(f"managers.scale: from 0 to {MAX_MANAGERS} managers, not {count!r}")
        while len(self.names()) < count:
            self.start()
        while len(living := self.names()) > count:
            leader = self.leader()
            followers = [name for name in living if name != leader]
            self.kill((followers or living)[-1])
        return self.names()

    def metrics(self) -> dict[str, str]:
        """The ``/metrics`` text of each of Beskar7's managers that live, by name."""
        return self._driver.do(self._chronicle.world.manager_metrics)

    def check(self) -> None:
        """Raises LabError when one has ended that nobody has killed."""
        for name, alive in self._crew.all():
            if not alive and name not in self._killed:
                raise LabError(f"{name} has ended by itself{self._crew.words(name)}")

    def _kill(self, which: str) -> str:
        try:
            name = choose(which, self._crew.all(), self._chronicle.leader())
        except WorldError as error:
            raise LabError(f"managers.kill: {error}") from None
        self._killed.add(name)
        self._crew.kill(name)
        self._incident("kill-manager", name, which)
        return name

    def _start(self) -> str:
        name = self._crew.start()
        self._incident("start-manager", name)
        return name

    def _incident(self, kind: str, name: str, detail: str = "") -> None:
        at = self._chronicle.world.runtime.now()
        self._chronicle.evidence.incidents.append(Incident(at, kind, name, detail))
