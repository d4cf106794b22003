"""What can go wrong on the Kubernetes side, as data: which clients, which requests, what, when."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from beskar7.api.errors import ApiError, TooManyRequests, from_status
from beskar7.runtime.skew import MAX_DRIFT, MAX_OFFSET, SkewWindow
from emulator import faultbase
from emulator import fields as f
from emulator.faultbase import BaseFault, Direction, read_direction, refuse_chance
from emulator.fields import FieldError
from emulator.kube.store.failures import STALE
from emulator.latency import MAX_SECONDS, Latency

KINDS = (
    *("latency", "error", "hang", "reset", "delay", "loss"),
    *("drop-watch", "lose-event", "stale-list", "partition", "restart"),
    *("clock-skew", "memory-leak"),
)
VERBS = (
    *("get", "list", "watch", "create", "update", "update_status"),
    *("patch", "patch_status", "delete"),
)
TARGET = "api"
"""The value of ``target`` by which a scenario's fault comes here."""
DEFAULT_AGE = 5.0
MIN_RATE, MAX_RATE = 0.001, 1024.0
"""MiB per second that a leak may have."""
_SELECT = ("clients", "verbs", "kinds", "namespaces", "names")
_ONLY_FOR = {
    "latency": ("latency", "delay"),
    "direction": ("delay", "loss"),
    "status": ("error",),
    "retry_after": ("error",),
    "age": ("stale-list",),
    "perform": ("error", "hang", "reset", "partition"),
    "offset": ("clock-skew",),
    "drift": ("clock-skew",),
    "rate": ("memory-leak",),
}
_FIELDS = (*faultbase.FIELDS, "every", "times", "target", "select", *_ONLY_FOR)
_VERBS_OF = {"drop-watch": ("watch",), "lose-event": ("watch",), "stale-list": ("list",)}
"""Kinds of fault that are about one verb; the others may select by it."""
OF_PROCESSES = ("clock-skew", "memory-leak")
"""Kinds that happen in the client's own process, which somebody else than the API has in hand."""
_ONCE = ("restart", *OF_PROCESSES)
"""Kinds that begin once: they take no ``every``."""
_WHOLE = ("partition", "restart", *OF_PROCESSES)
"""Between a client and the server there is no verb, kind or name: these take clients only."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request in the words of the write log. ``client`` is its User-Agent.

    ``name`` is empty for list, watch and create: it is not part of what these ask for.
    """

    client: str
    verb: str
    kind: str
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which requests: all given criteria hold; within a list one is enough. All are globs.

    ``kinds`` of what a pod's processes answer are ``Pod/log`` and ``Pod/proxy`` (verb get;
    the latter's name is POD:PORT), ``Pod/exec``, ``Pod/portforward`` and ``Pod/eviction`` (create).
    ``names`` hold for single objects, and for the objects that a watch tells of; a request without
    a name is not hit by a fault that selects names. A request for all namespaces has namespace "".
    """

    clients: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def admits(self, asked: Asked) -> bool:
        return (
            _one(self.clients, asked.client)
            and (not self.verbs or asked.verb in self.verbs)
            and _one(self.kinds, asked.kind)
            and _one(self.namespaces, asked.namespace)
            and _one(self.names, asked.name)
        )


def _one(globs: tuple[str, ...], value: str) -> bool:
    return not globs or any(fnmatchcase(value, glob) for glob in globs)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiFault(BaseFault):
    """One fault of the API. By kind:

    ``latency``: the answer takes longer. ``error``: ``status`` instead of an answer, with
    Retry-After if given. ``hang``: no answer until the fault ends, then the connection is cut.
    ``reset``: the connection is cut. ``drop-watch``: open watches are cut, and so are new ones.
    ``lose-event``: a watch skips events and says nothing. ``stale-list``: a list shows the state
    of ``age`` seconds ago, under that state's resourceVersion. ``partition``: requests hang,
    watches fall silent, and what was connected is cut at the end. ``restart``: all connections
    are cut, for the duration none is served, and no watch can go on from before.
    ``delay``: what goes in ``direction`` arrives later, events of watches too; a call that comes
    after its client gave up takes effect all the same. ``loss``: what goes in ``direction`` never
    arrives, and the client waits for its own deadline; without the answer the write took effect,
    and ``both`` is the one or the other by an even chance.
    ``clock-skew``: the client's wall clock is ``offset`` seconds ahead (negative: behind), and
    gains ``drift`` seconds with each second. ``memory-leak``: the client's pod needs ``rate`` MiB
    more with each second, and keeps them when the fault is over, until it is restarted.
    ``perform`` (error, hang, reset, partition): the write takes effect all the same.
    """

    select: Scope = Scope()
    latency: Latency | None = None
    status: int = 503
    retry_after: float | None = None
    perform: bool = False
    direction: Direction = "both"
    age: float = DEFAULT_AGE
    offset: float = 0.0
    drift: float = 0.0
    rate: float = 0.0

    @classmethod
    def from_dict(cls, data: object, where: str = "fault", default_id: str = "") -> ApiFault:
        """Raises :class:`FieldError` with the field and what it may hold."""
        fields = f.mapping(data, where, _FIELDS)
        if fields.get("target", TARGET) != TARGET:
            raise FieldError(f"{where}.target: must be {TARGET} here, not {fields['target']!r}")
        kind = f.choice(fields.get("kind"), f"{where}.kind", KINDS)
        base = faultbase.read_base(fields, where, default_id, kind)
        for name, owners in _ONLY_FOR.items():
            faultbase.only_for(fields, where, kind, name, *owners)
        if kind in _ONLY_FOR["latency"] and "latency" not in fields:
            raise FieldError(f"{where}.latency: missing; kind {kind} needs {{mean: seconds}}")
        repeat = faultbase.read_repeat(fields, where, base["duration"])
        if repeat and kind in _ONCE:
            raise FieldError(f"{where}.every: kind {kind} takes no repetition")
        if kind == "clock-skew" and not fields.get("offset") and not fields.get("drift"):
            raise FieldError(f"{where}.offset: kind clock-skew needs an offset or a drift")
        if kind == "memory-leak" and "rate" not in fields:
            raise FieldError(f"{where}.rate: missing; kind memory-leak needs MiB per second")
        retry_after = fields.get("retry_after")
        select = f.mapping(fields.get("select", {}), f"{where}.select", _SELECT)
        given = {name: f.texts(select.get(name, ()), f"{where}.select.{name}") for name in _SELECT}
        allowed = _VERBS_OF.get(kind, VERBS)
        for verb in given["verbs"]:
            f.choice(verb, f"{where}.select.verbs", allowed)
        if kind in _WHOLE:
            for name in _SELECT[1:]:
                if given[name]:
                    raise FieldError(f"{where}.select.{name}: kind {kind} selects clients only")
            refuse_chance(where, kind, base["probability"], base["count"])
        return cls(
            **base,
            **repeat,
            select=Scope(**given),
            latency=Latency.from_dict(fields["latency"], f"{where}.latency")
            if "latency" in fields
            else None,
            status=f.whole(fields.get("status", 503), f"{where}.status", 400, 599),
            retry_after=None
            if retry_after is None
            else f.number(retry_after, f"{where}.retry_after", 0.0, MAX_SECONDS),
            perform=f.flag(fields.get("perform", False), f"{where}.perform"),
            direction=read_direction(fields.get("direction", "both"), f"{where}.direction"),
            age=f.number(fields.get("age", DEFAULT_AGE), f"{where}.age", 0.0, MAX_SECONDS),
            offset=f.number(fields.get("offset", 0.0), f"{where}.offset", -MAX_OFFSET, MAX_OFFSET),
            drift=f.number(fields.get("drift", 0.0), f"{where}.drift", -MAX_DRIFT, MAX_DRIFT),
            rate=f.number(fields["rate"], f"{where}.rate", MIN_RATE, MAX_RATE)
            if "rate" in fields
            else 0.0,
        )

    def to_dict(self) -> dict[str, Any]:
        """What :meth:`from_dict` reads back."""
        select = {name: list(getattr(self.select, name)) for name in _SELECT}
        data = {
            **self.base_dict(),
            "target": TARGET,
            "select": {name: value for name, value in select.items() if value},
        }
        if self.every is not None:
            data |= {"every": self.every, "times": self.times}
        if self.latency is not None:
            data["latency"] = self.latency.to_dict()
        if self.kind in _ONLY_FOR["direction"]:
            data["direction"] = self.direction
        if self.kind == "error":
            data |= {"status": self.status, "retry_after": self.retry_after}
        if self.kind in _ONLY_FOR["perform"]:
            data["perform"] = self.perform
        if self.kind == "stale-list":
            data["age"] = self.age
        if self.kind == "clock-skew":
            data |= {"offset": self.offset, "drift": self.drift}
        if self.kind == "memory-leak":
            data["rate"] = self.rate
        return data

    def skew(self, origin: float) -> SkewWindow:
        """What kind ``clock-skew`` does to a clock; ``origin``: ``now()`` when it was added."""
        begins = origin + self.start
        ends = None if self.duration is None else begins + self.duration
        return SkewWindow(self.offset, self.drift, begins, ends)

    def refusal(self) -> ApiError:
        """The answer of kind ``error``."""
        said = f"injected by the lab's fault {self.id}"
        message = f"{STALE} ({said})" if self.status == 409 else said
        error = from_status(self.status, {"message": message})
        if self.retry_after is not None or isinstance(error, TooManyRequests):
            # Whole seconds, as the header has them; a 429 always names some.
            error.details["retryAfterSeconds"] = max(1, round(self.retry_after or 1.0))
        return error
