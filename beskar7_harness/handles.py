"""Machines and hosts as a test holds them: what they are now, and what a wait may be for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beskar7.api.errors import NotFound
from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST, Kind
from beskar7.kube.port import Object
from beskar7_harness.waiting import Condition, Objects
from scenarios.engine.history import consumer_name, dig, phase, state

if TYPE_CHECKING:
    from beskar7_harness.lab import Lab

SHOWN = 3
"""Status conditions that are told of an object."""


class _Handle:
    """An object of the lab's namespace, by name."""

    kind: Kind

    def __init__(self, lab: Lab, name: str) -> None:
        self.name = name
        self._lab = lab

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Handle) and (self.kind, self.name) == (other.kind, other.name)

    def __hash__(self) -> int:
        return hash((self.kind, self.name))

    def object(self) -> Object:
        """As the API has it now. Raises ``NotFound``."""
        return self._lab.kube.get(self.kind, self._lab.namespace, self.name)

    def exists(self) -> bool:
        try:
            self.object()
        except NotFound:
            return False
        return True

    def patch(self, patch: Object) -> Object:
        """A merge patch; the object after it. Raises an ``ApiError``."""
        return self._lab.kube.patch(self.kind, self._lab.namespace, self.name, patch)

    def delete(self) -> None:
        """Ask for its end; see :attr:`gone`. Raises an ``ApiError``."""
        self._lab.kube.delete(self.kind, self._lab.namespace, self.name)

    @property
    def gone(self) -> Condition:
        """The API has no such object any more."""
        return self._condition("is gone", lambda obj: obj is None)

    def is_true(self, type: str) -> Condition:
        """Its status condition of this type is True."""
        return self._condition(
            f"has condition {type} True",
            lambda obj: any(c.get("status") == "True" for c in _conditions(obj, type)),
        )

    def _condition(self, what: str, holds: Any) -> Condition:
        mine = (self.name,)
        return Condition(
            self.kind,
            f"{self.name} {what}",
            lambda objects: bool(holds(objects.get(self.name))),
            lambda objects: self._stands(objects.get(self.name)),
            hosts=mine if self.kind == PHYSICAL_HOST else (),
            machines=mine if self.kind == BESKAR7_MACHINE else (),
        )

    def _stands(self, obj: Object | None) -> str:
        if obj is None:
            return "there is no such object"
        said = [self._word(obj)]
        if text := dig(obj, "status", "errorMessage") or dig(obj, "status", "failureMessage"):
            said.append(str(text))
        types: dict[tuple[Any, ...], list[str]] = {}
        for each in _conditions(obj):
            if each.get("status") != "True":
                why = (each.get("status"), each.get("reason", ""), each.get("message", ""))
                types.setdefault(why, []).append(str(each.get("type")))
        said += [
            f"{', '.join(names)}={status} {reason}: {message}"
            for (status, reason, message), names in list(types.items())[:SHOWN]
        ]
        return "\n      ".join(said)

    def _word(self, obj: Object) -> str:
        raise NotImplementedError


def _conditions(obj: Object | None, type: str | None = None) -> list[dict[str, Any]]:
    found = dig(obj, "status", "conditions") or []
    return [c for c in found if isinstance(c, dict) and type in (None, c.get("type"))]


class Machine(_Handle):
    """A Beskar7Machine."""

    kind = BESKAR7_MACHINE

    @property
    def phase(self) -> str:
        """Of its status; empty before it has one. Raises ``NotFound``."""
        return phase(self.object())

    @property
    def host(self) -> Host | None:
        """Whose it is now, by the hosts' own word."""
        return next((host for host in self._lab.hosts() if host.consumer == self.name), None)

    @property
    def provisioned(self) -> Condition:
        """Its phase is Provisioned: its host has booted the image."""
        return self.in_phase("Provisioned")

    def in_phase(self, wanted: str) -> Condition:
        return self._condition(f"is {wanted}", lambda obj: phase(obj) == wanted)

    @property
    def claimed(self) -> Condition:
        """Some host is its."""

        def holds(hosts: Objects) -> bool:
            return any(consumer_name(host) == self.name for host in hosts.values())

        def stands(hosts: Objects) -> str:
            free = [
                name
                for name, host in hosts.items()
                if state(host) == "Available" and not consumer_name(host)
            ]
            return f"of {len(hosts)} hosts {len(free)} are Available and free"

        return Condition(
            PHYSICAL_HOST, f"{self.name} has a host", holds, stands, machines=(self.name,)
        )

    def _word(self, obj: Object) -> str:
        return f"it is {phase(obj) or 'without a phase'}"


class Host(_Handle):
    """A PhysicalHost and the machine behind its BMC."""

    kind = PHYSICAL_HOST

    @property
    def state(self) -> str:
        """Of its status, as the controller sees it; empty before it has one."""
        return state(self.object())

    @property
    def consumer(self) -> str:
        """The name of the machine that it belongs to; empty for nobody."""
        return consumer_name(self.object())

    @property
    def power(self) -> str:
        """``On`` or ``Off``, as the machine is, whatever the API says."""
        return str(self._lab.fleet.state()[self.name]["power"])

    @property
    def available(self) -> Condition:
        """Available and nobody's."""
        return self._condition(
            "is Available and nobody's",
            lambda obj: state(obj) == "Available" and not consumer_name(obj),
        )

    @property
    def provisioned(self) -> Condition:
        return self.in_state("Provisioned")

    def in_state(self, wanted: str) -> Condition:
        return self._condition(f"is {wanted}", lambda obj: state(obj) == wanted)

    @property
    def claimed(self) -> Condition:
        """Somebody's."""
        return self._condition("is somebody's", lambda obj: bool(consumer_name(obj)))

    def _word(self, obj: Object) -> str:
        owner = consumer_name(obj)
        whose = f"of {owner}" if owner else "nobody's"
        return f"it is {state(obj) or 'without a state'}, {whose}"
