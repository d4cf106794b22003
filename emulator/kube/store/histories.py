"""Random histories of one Kubernetes API: concurrent clients and watchers, and what must hold.

Works on any :class:`beskar7.kube.port.Kube`, over HTTP or in process. The objects are ConfigMaps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from beskar7.api.errors import ApiError, Expired
from beskar7.api.kinds import CONFIG_MAP
from beskar7.api.objects import Object
from beskar7.kube.port import Kube
from beskar7.runtime import Random, Runtime
from emulator.linearizability import Operation

VERBS = ("create", "delete", "get", "list", "patch", "update")
_KEYS = "abc"
Data = tuple[tuple[str, str], ...]
State = tuple[str, int, Data] | None
"""uid, version, data; None while there is no such object."""


@dataclass(frozen=True, slots=True)
class Ask:
    """``version`` is a precondition, 0 for none; ``data`` the whole, or of a patch a part."""

    verb: str
    version: int = 0
    data: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """``error`` is a Status reason; ``state`` the object after the operation."""

    error: str = ""
    state: State = None


@dataclass(slots=True)
class Recording:
    """What the clients of a run saw; shared by all of them."""

    operations: dict[str, list[Operation]] = field(default_factory=dict)
    """By the object's name."""
    lists: list[tuple[int, dict[str, State]]] = field(default_factory=list)
    """A list's version, and its content."""


class ObjectModel:
    """An object under optimistic concurrency, for :func:`emulator.linearizability.linearizable`."""

    def initial(self) -> State:
        return None

    def step(self, state: State, operation: Operation) -> tuple[bool, State]:
        ask: Ask = operation.input
        answer: Answer = operation.output
        if ask.verb == "create":
            if state is not None:
                return answer.error == "AlreadyExists", state
            made = answer.state
            return not answer.error and made is not None and made[2] == ask.data, made
        if state is None:
            return answer.error == "NotFound", None
        if ask.verb == "get":
            return answer.state == state, state
        if ask.version and ask.version != state[1]:
            return answer.error == "Conflict", state
        if ask.verb == "delete":
            return not answer.error, None
        return not answer.error and _follows(state, ask, answer.state), answer.state


def _follows(state: tuple[str, int, Data], ask: Ask, after: State) -> bool:
    if after is None:
        return False
    wanted = dict(state[2]) if ask.verb == "patch" else {}
    for key, value in ask.data:
        if value is None:
            wanted.pop(key, None)
        else:
            wanted[key] = value
    changed = wanted != dict(state[2])
    newer = after[1] > state[1] if changed else after[1] == state[1]
    return newer and after[0] == state[0] and dict(after[2]) == wanted


class Client:
    """Does random things to a few objects, and writes down what it asked and was told."""

    def __init__(
        self, kube: Kube, runtime: Runtime, rng: Random, name: str, recording: Recording
    ) -> None:
        self._kube = kube
        self._runtime = runtime
        self._rng = rng
        self._name = name
        self._recording = recording
        self._known: dict[str, State] = {}

    def run(self, steps: int, names: list[str]) -> None:
        for _ in range(steps):
            self._once(self._rng.choice(VERBS), self._rng.choice(names))

    def _once(self, verb: str, name: str) -> None:
        if verb == "list":
            found = self._kube.list(CONFIG_MAP, "default")
            content = {item["metadata"]["name"]: state_of(item) for item in found.items}
            self._recording.lists.append((int(found.resource_version), content))
            return
        ask = self._ask(verb, name)
        start = self._runtime.now()
        answer = self._perform(ask, name)
        end = self._runtime.now()
        self._known[name] = answer.state
        done = Operation(self._name, start, end, ask, answer)
        self._recording.operations.setdefault(name, []).append(done)

    def _ask(self, verb: str, name: str) -> Ask:
        known = self._known.get(name)
        version = known[1] if known else 0
        if verb == "delete":
            return Ask(verb, version if self._rng.random() < 0.5 else 0)
        if verb == "patch":
            key = self._rng.choice(_KEYS)
            value = None if self._rng.random() < 0.3 else str(self._rng.randrange(3))
            return Ask(verb, 0, ((key, value),))
        if verb in ("create", "update"):
            data = {key: str(self._rng.randrange(3)) for key in _KEYS if self._rng.random() < 0.5}
            return Ask(verb, version if verb == "update" else 0, tuple(sorted(data.items())))
        return Ask(verb)

    def _perform(self, ask: Ask, name: str) -> Answer:
        kube = self._kube
        try:
            if ask.verb == "get":
                return Answer(state=state_of(kube.get(CONFIG_MAP, "default", name)))
            if ask.verb == "delete":
                version = str(ask.version) if ask.version else None
                kube.delete(CONFIG_MAP, "default", name, resource_version=version)
                return Answer()
            if ask.verb == "patch":
                patch = {"data": dict(ask.data)}
                return Answer(state=state_of(kube.patch(CONFIG_MAP, "default", name, patch)))
            meta = {"name": name, "namespace": "default"}
            if ask.version:
                meta["resourceVersion"] = str(ask.version)
            obj: Object = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": meta,
                "data": dict(ask.data),
            }
            call = kube.create if ask.verb == "create" else kube.update
            return Answer(state=state_of(call(CONFIG_MAP, obj)))
        except ApiError as error:
            return Answer(error=error.reason)


def state_of(obj: Object) -> State:
    meta: dict[str, Any] = obj["metadata"]
    data: Data = tuple(sorted((obj.get("data") or {}).items()))
    return meta["uid"], int(meta["resourceVersion"]), data


class Replay:
    """A watcher's own picture of the objects, built from events alone."""

    def __init__(self, kube: Kube, last: str) -> None:
        """``last`` names the object whose appearance ends the replay."""
        self._kube = kube
        self._last = last
        self._events: list[tuple[int, str, State]] = []
        self._present: dict[str, int] = {}
        self.problems: list[str] = []

    def begin_with(self, items: list[Object]) -> None:
        """What was there when the watch begins."""
        for item in sorted(items, key=lambda item: int(item["metadata"]["resourceVersion"])):
            self._take("ADDED", item)

    def run(self, version: str, timeout: float) -> None:
        """Watch from ``version`` on, in turns of ``timeout`` seconds, to the last object."""
        while self._last not in self._present:
            try:
                for event in self._kube.watch(
                    CONFIG_MAP, "default", resource_version=version, timeout=timeout
                ):
                    version = event.object["metadata"]["resourceVersion"]
                    if event.type != "BOOKMARK":
                        self._take(event.type, event.object)
                    if self._last in self._present:
                        return
            except Expired as error:
                self.problems.append(f"the watch from {version} expired: {error}")
                return

    def _take(self, type_: str, obj: Object) -> None:
        name: str = obj["metadata"]["name"]
        version = int(obj["metadata"]["resourceVersion"])
        if self._events and version <= self._events[-1][0]:
            self.problems.append(f"{type_} {name} at {version} comes after {self._events[-1][0]}")
        if (type_ == "ADDED") == (name in self._present):
            self.problems.append(f"{type_} {name} at {version}, known: {name in self._present}")
        if type_ == "DELETED":
            self._present.pop(name, None)
        else:
            self._present[name] = version
        self._events.append((version, name, None if type_ == "DELETED" else state_of(obj)))

    def at(self, version: int) -> dict[str, State]:
        """The objects as the events up to this version leave them."""
        found: dict[str, State] = {}
        for event_version, name, state in self._events:
            if event_version > version:
                break
            if state is None:
                found.pop(name, None)
            else:
                found[name] = state
        return found


def differences(recording: Recording, replay: Replay) -> list[str]:
    """Where a watcher's picture differs from a list of the same version."""
    found = list(replay.problems)
    for version, content in recording.lists:
        replayed = replay.at(version)
        if replayed != content:
            found.append(f"at {version}: listed {content}, replayed {replayed}")
    return found
