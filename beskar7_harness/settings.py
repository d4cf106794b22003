"""``@pytest.mark.beskar7(...)``: from the fields of marks to the scenario of a lab."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from beskar7.api.documents import parse
from beskar7.api.problems import DocumentError, Problem, Where, closest
from beskar7_harness.errors import SettingsError

if TYPE_CHECKING:
    from scenarios.engine.schema import Scenario

Clock = Literal["live", "virtual"]
Scope = Literal["function", "class", "module", "session"]
CLOCKS: tuple[Clock, ...] = ("live", "virtual")
SCOPES: tuple[Scope, ...] = ("function", "class", "module", "session")
MAX_SEED = 2**63 - 1
MAX_COMMAND = 64
"""Words of a ``manager_command``."""
SAFETY = (
    "single-owner",
    "requirements-met",
    "only-owner-acts",
    "leader-writes-only",
    "no-release-in-mid-write",
    "bmc-exclusive",
    "bmc-cooldown",
    "legal-state-edges",
    "provisioned-means-booted",
    "released-clean",
    "no-blind-reset",
    "write-limit",
)
"""Invariants that a test may not break by ending early; the others are on how a run ends."""
PATHS = {
    "hosts": "world.hosts.count",
    "vendors": "world.hosts.vendors",
    "racks": "world.hosts.racks",
    "managers": "world.managers.replicas",
    "args": "world.managers.args",
    "config": "world.config",
    "namespace": "load.namespace",
}
"""Fields that are those of a scenario, which has the rules for them."""
OWN = ("clock", "seed", "scope", "set", "manager_command", "enrol", "invariants")
DEFAULTS: Mapping[str, Any] = {"hosts": 3, "managers": 1, "vendors": {"generic": 1}}
SCALE: Mapping[str, float] = {"boot": 0.005, "latency": 0.05}
CONFIG: Mapping[str, str] = {"provisioning.bmcCooldownPeriod": "1s"}
"""A boot takes a second instead of minutes, as in the scenario ``smoke``."""


@dataclass(frozen=True, slots=True)
class LabSettings:
    """What a lab is to be. ``key`` is the same for settings that are the same.

    ``managers``: how many. ``manager_command``: whose managers run; empty: Beskar7's. ``enrol``:
    the lab is up only when every host is Available. ``invariants``: judged after each test.
    """

    scenario: Scenario
    clock: Clock
    seed: int
    scope: Scope
    managers: int
    manager_command: tuple[str, ...]
    enrol: bool
    invariants: tuple[str, ...]
    key: str


def settings(fields: Mapping[str, Any], place: str, seed: int | None = None) -> LabSettings:
    """The settings that the marks' fields make; ``seed`` counts before that of a mark.

    Raises:
        SettingsError: beginning with ``place``, with every field that is wrong.
    """
    try:
        reader = _Reader(dict(fields), place)
        return reader.read(seed)
    except DocumentError as error:
        lines = [f"{place}: {_told(problem)}" for problem in error.problems]
        raise SettingsError("\n".join(lines)) from None


def _told(problem: Problem) -> str:
    for field, path in PATHS.items():
        if problem.path == path or problem.path.startswith(path + "."):
            rest = problem.path.removeprefix(path)
            return f"{field}{rest}: {problem.message}"
    head = problem.path or problem.where.source
    return f"{head}: {problem.message}"


class _Reader:
    def __init__(self, fields: dict[str, Any], place: str) -> None:
        self._fields = fields
        self._place = place
        self._problems: list[Problem] = []

    def read(self, seed: int | None) -> LabSettings:
        from scenarios.engine.invariants import INVARIANTS
        from scenarios.engine.loader import build

        for name in self._fields:
            if name not in (*PATHS, *OWN):
                self._wrong(name, f"unknown field; {closest(name, [*PATHS, *OWN])}")
        clock = cast("Clock", self._choice("clock", CLOCKS, "live"))
        scope = cast("Scope", self._choice("scope", SCOPES, "function"))
        seed = self._seed() if seed is None else seed
        command = self._command()
        if command and clock == "virtual":
            said = "a process of its own lives in wall time; leave it out or give clock='live'"
            self._wrong("manager_command", said)
        enrol = self._flag("enrol", default=not command and self._fields.get("managers") != 0)
        judged = self._names("invariants", tuple(INVARIANTS), () if command else SAFETY)
        overrides = self._texts("set")
        document = self._document(bool(command))
        if self._problems:
            raise DocumentError(self._problems)
        scenario = build(parse(document, self._place, fixed=Where(self._place)), overrides)
        key = json.dumps([self._fields, clock, scope, seed], sort_keys=True, default=repr)
        return LabSettings(
            scenario, clock, seed, scope, self._managers(), command, enrol, judged, key
        )

    def _document(self, commanded: bool) -> str:
        """The scenario as JSON, which is YAML; what cannot be written there is a problem."""
        given = {**DEFAULTS, **{n: v for n, v in self._fields.items() if n in PATHS}}
        vendors = given["vendors"]
        if isinstance(vendors, str):
            given["vendors"] = {vendors: 1}
        elif isinstance(vendors, list | tuple):
            given["vendors"] = {str(vendor): 1 for vendor in vendors}
        world: dict[str, Any] = {
            "hosts": {"scale": dict(SCALE), "count": given["hosts"]},
            "managers": {"replicas": 0 if commanded else given["managers"]},
        }
        world["hosts"]["vendors"] = given["vendors"]
        if "racks" in given:
            world["hosts"]["racks"] = given["racks"]
        if "args" in given:
            world["managers"]["args"] = given["args"]
        config = given.get("config", {})
        world["config"] = {**CONFIG, **config} if isinstance(config, Mapping) else config
        load = {"machines": 0}
        if "namespace" in given:
            load["namespace"] = given["namespace"]
        if commanded and not _whole(given["managers"], 0, 50):
            said = f"has to be a whole number from 0 to 50, not {given['managers']!r}"
            self._wrong("managers", said)
        for name in PATHS:
            if name in given and (bad := _unwritable(given[name])):
                self._wrong(name, f"{bad} is neither text, number, list nor mapping")
        return "" if self._problems else json.dumps({"name": "lab", "world": world, "load": load})

    def _managers(self) -> int:
        return int(self._fields.get("managers", DEFAULTS["managers"]))

    def _wrong(self, field: str, message: str) -> None:
        self._problems.append(Problem(Where(self._place), field, message))

    def _choice(self, name: str, known: Sequence[str], default: str) -> str:
        value = self._fields.get(name, default)
        if value not in known:
            self._wrong(name, f"has to be one of {', '.join(known)}, not {value!r}")
            return default
        return str(value)

    def _seed(self) -> int:
        value = self._fields.get("seed", 1)
        if not _whole(value, 0, MAX_SEED):
            self._wrong("seed", f"has to be a whole number from 0 to {MAX_SEED}, not {value!r}")
            return 1
        return int(value)

    def _flag(self, name: str, default: bool) -> bool:
        value = self._fields.get(name, default)
        if not isinstance(value, bool):
            self._wrong(name, f"has to be True or False, not {value!r}")
            return default
        return value

    def _texts(self, name: str, example: str = "world.hosts.racks=2") -> tuple[str, ...]:
        value = self._fields.get(name, ())
        if not isinstance(value, list | tuple) or not all(isinstance(t, str) for t in value):
            self._wrong(name, f"has to be a list of texts as in ['{example}'], not {value!r}")
            return ()
        return tuple(value)

    def _names(self, name: str, known: Sequence[str], default: tuple[str, ...]) -> tuple[str, ...]:
        """True: the default ones; False: none."""
        value = self._fields.get(name, True)
        if isinstance(value, bool):
            return default if value else ()
        found = self._texts(name, known[0])
        for text in found:
            if text not in known:
                self._wrong(name, f"no invariant is called {text!r}; {closest(text, known)}")
        return found

    def _command(self) -> tuple[str, ...]:
        if self._fields.get("manager_command") is None:
            return ()
        command = self._texts("manager_command", "./controller")
        if not 0 < len(command) <= MAX_COMMAND:
            self._wrong("manager_command", f"has to have 1 to {MAX_COMMAND} words")
        elif shutil.which(command[0]) is None:
            said = f"no program {command[0]!r} can be run; give its path, or a name on PATH"
            self._wrong("manager_command", said)
        return command


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _unwritable(value: object) -> str:
    """What of a value no file could hold; empty when all can be written."""
    if value is None or isinstance(value, str | int | float | bool):
        return ""
    if isinstance(value, Mapping):
        parts = (part for item in value.items() for part in item)
        return next((bad for part in parts if (bad := _unwritable(part))), "")
    if isinstance(value, list | tuple):
        return next((bad for item in value if (bad := _unwritable(item))), "")
    return repr(value)[:80]
