"""A fault in a scenario file, checked into the vocabulary of the fleet's or of the API's faults."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from beskar7.api.documents import Node
from beskar7.api.problems import Problems
from beskar7.runtime.skew import MAX_DRIFT, MAX_OFFSET
from emulator import network
from emulator.faultbase import DIRECTIONS
from emulator.faultkinds import KINDS, PARAMS, Kind, Param, owners
from emulator.faultspec import MAX_SYMPTOMS, METHODS, Fault
from emulator.fields import FieldError
from emulator.kube.faults import faultspec
from emulator.kube.faults.faultspec import ApiFault
from emulator.latency import DISTRIBUTIONS, MAX_QUANTILES
from emulator.network import NetworkFault
from scenarios.engine.fields import Fields

_KINDS = {"bmc": KINDS, "api": faultspec.KINDS, network.TARGET: network.KINDS}
_READERS: Mapping[str, type[Fault] | type[ApiFault] | type[NetworkFault]] = {
    "bmc": Fault,
    "api": ApiFault,
    network.TARGET: NetworkFault,
}
TARGETS = ("bmc", "api", network.TARGET)
LOSING = ("error", "hang", "reset", "partition")
"""Kinds of fault that lose an answer whose request may have taken effect."""
CLIENTS = ("beskar7-manager/*",)
"""Whom a fault of the API hits unless it says so: the managers, and not the scenario's runner."""
NAME = r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?"


def read_fault(
    node: Node,
    path: str,
    problems: Problems,
    *,
    named: bool = True,
    vendors: Collection[str] | None = None,
) -> dict[str, Any]:
    """The fault as the fleet or the API takes it, times in seconds.

    What is wrong goes to ``problems``. ``named``: it has to have an id. ``vendors``: those that
    there are; None: the fleet alone knows.
    """
    before = len(problems.found)
    fields = Fields(node, path, problems, node.where)
    target = fields.choice("target", TARGETS, "bmc")
    kind = fields.choice("kind", tuple(_KINDS[target]))
    fault: dict[str, Any] = {
        "kind": kind,
        "start": fields.duration("start", 0.0),
        "duration": fields.duration("duration", None, low=0.001),
        "probability": fields.number("probability", 1.0, high=1.0),
        "count": fields.integer("count", None, low=1, high=1_000_000),
    }
    if named or fields.has("id"):
        fault["id"] = fields.text("id", pattern=NAME, example="slow-1")
    fault |= _repeat(fields)
    match target:
        case "api":
            fault |= {"target": target, "select": _select_requests(fields.child("select"))}
            fault |= _of_api(fields, kind)
        case network.TARGET:
            fault |= {"target": target} | _of_network(fields, kind, vendors)
        case _:
            fault |= {"select": _select(fields.child("select"), vendors)}
            fault |= _of_bmc(fields, KINDS[kind])
    fields.finish()
    if len(problems.found) == before:
        try:
            _READERS[target].from_dict(fault, path, default_id="unnamed")
        except FieldError as error:  # the emulator's own reader has the last word
            place, _, said = str(error).partition(": ")
            problems.add(node.where, place, said)
    return fault


def _of_api(fields: Fields, kind: str) -> dict[str, Any]:
    """The fields of the API's kinds of fault."""
    fault: dict[str, Any] = {}
    _belongs(fields, kind, "age", "stale-list")
    if fields.has("age"):
        fault["age"] = fields.duration("age", high=3600.0)
    _belongs(fields, kind, "offset", "clock-skew")
    _belongs(fields, kind, "drift", "clock-skew")
    if fields.has("offset"):
        fault["offset"] = fields.duration("offset", low=-MAX_OFFSET, high=MAX_OFFSET)
    if fields.has("drift"):
        fault["drift"] = fields.number("drift", low=-MAX_DRIFT, high=MAX_DRIFT)
    _belongs(fields, kind, "rate", "memory-leak")
    if kind == "memory-leak":
        fault["rate"] = fields.number("rate", low=faultspec.MIN_RATE, high=faultspec.MAX_RATE)
    if fields.has("perform"):
        fault["perform"] = fields.flag("perform")
        if kind not in LOSING:
            fields.wrong("perform", f"belongs to faults of kind {', '.join(LOSING)}")
    _belongs(fields, kind, "latency", "latency", "delay")
    _belongs(fields, kind, "direction", "delay", "loss")
    if fields.has("direction"):
        fault["direction"] = fields.choice("direction", DIRECTIONS)
    _belongs(fields, kind, "status", "error")
    _belongs(fields, kind, "retry_after", "error")
    if kind in ("latency", "delay"):
        fault["latency"] = read_latency(fields.child("latency", required=True))
    if kind == "error":
        fault["status"] = fields.integer("status", 503, low=400, high=599)
        retry_after = fields.integer("retry_after", None, low=0, high=3600)
        if retry_after is not None:
            fault["retry_after"] = retry_after
    return fault


def _of_network(fields: Fields, kind: str, vendors: Collection[str] | None) -> dict[str, Any]:
    """The two ends, and the fields of the network's kinds of fault."""
    fault: dict[str, Any] = {"direction": fields.choice("direction", DIRECTIONS, "both")}
    _belongs(fields, kind, "latency", "delay")
    if kind == "delay":
        fault["latency"] = read_latency(fields.child("latency", required=True))
    if fields.has_text("from"):
        fault["from"] = fields.choice("from", network.ROLES)
    elif fields.has("from"):
        fault["from"] = list(fields.texts("from"))
    if fields.has_text("to"):
        fault["to"] = fields.choice("to", (network.API,))
    else:
        fault["to"] = _select(fields.child("to", required=True), vendors)
    return fault


def _repeat(fields: Fields) -> dict[str, Any]:
    every = fields.duration("every", None, low=0.001)
    times = fields.integer("times", None, low=1, high=1_000_000)
    return {} if every is None and times is None else {"every": every, "times": times}


def _of_bmc(fields: Fields, kind: Kind) -> dict[str, Any]:
    """The fields of a BMC's kinds of fault, as their register has them."""
    fault: dict[str, Any] = {}
    if fields.has("match"):
        fault["match"] = _match(fields.child("match"))
        if not kind.matches:
            fields.wrong("match", f"kind {kind.name} is not about single requests; leave it out")
    mine = {param.name for param in kind.params}
    for name in PARAMS:
        if name not in mine:
            _belongs(fields, kind.name, name, *owners(name))
    for param in kind.params:
        if fields.has(param.name) or param.required:
            fault[param.name] = _param(fields, param)
    return fault


def _param(fields: Fields, param: Param) -> Any:
    match param.form:
        case "seconds":
            return fields.duration(param.name, low=param.low, high=param.high)
        case "whole":
            return fields.integer(param.name, low=int(param.low), high=int(param.high))
        case "number":
            return fields.number(param.name, low=param.low, high=param.high)
        case "flag":
            return fields.flag(param.name)
        case "choice":
            return fields.choice(param.name, param.choices)
        case "texts":
            return list(fields.texts(param.name))
        case "latency":
            return read_latency(fields.child(param.name, required=True))
        case "symptoms":
            return _symptoms(fields, param.name)


def _symptoms(fields: Fields, name: str) -> list[dict[str, Any]]:
    needed = f"needs 1 to {MAX_SYMPTOMS} faults, as in [{{kind: drip}}]"
    items = fields.items(name, limit=MAX_SYMPTOMS, least=needed)
    return [read_symptom(Fields(node, at, fields.problems, node.where)) for at, node in items]


def read_symptom(fields: Fields) -> dict[str, Any]:
    """What a BMC does while it has a ``firmware-bug``."""
    kind = fields.choice("kind", tuple(name for name in KINDS if name != "firmware-bug"))
    symptom: dict[str, Any] = {
        "kind": kind,
        "probability": fields.number("probability", 1.0, high=1.0),
        "count": fields.integer("count", None, low=1, high=1_000_000),
    }
    symptom |= _of_bmc(fields, KINDS[kind])
    fields.finish()
    return symptom


def _belongs(fields: Fields, kind: str, name: str, *owners: str) -> None:
    """``name`` is a field of faults of kind ``owners`` only."""
    if kind not in owners and fields.has(name):
        fields.node(name)
        known = " or ".join(owners)
        fields.wrong(name, f"belongs to faults of kind {known}; this one is of kind {kind}")


def _select(fields: Fields, known: Collection[str] | None) -> dict[str, Any]:
    select: dict[str, Any] = {}
    for name in ("hosts", "racks", "firmware"):
        if patterns := fields.texts(name):
            select[name] = list(patterns)
    if vendors := fields.texts("vendors", known=known):
        select["vendors"] = list(vendors)
    if labels := fields.scalars("labels"):
        select["labels"] = labels
    fraction = fields.number("fraction", None, high=1.0)
    if fraction is not None:
        select["fraction"] = fraction
    fields.finish()
    return select


def _select_requests(fields: Fields) -> dict[str, Any]:
    select: dict[str, Any] = {"clients": list(fields.texts("clients") or CLIENTS)}
    for name in ("verbs", "kinds", "namespaces", "names"):
        if patterns := fields.texts(name, known=faultspec.VERBS if name == "verbs" else None):
            select[name] = list(patterns)
    fields.finish()
    return select


def _match(fields: Fields) -> dict[str, Any]:
    match: dict[str, Any] = {}
    if methods := fields.texts("methods", known=METHODS):
        match["methods"] = list(methods)
    path = fields.text("path", None, limit=512)
    if path is not None:
        match["path"] = path
    if clients := fields.texts("clients"):
        match["clients"] = list(clients)
    fields.finish()
    return match


def read_latency(fields: Fields) -> dict[str, Any]:
    latency: dict[str, Any] = {
        "distribution": fields.choice("distribution", DISTRIBUTIONS, "constant")
    }
    if latency["distribution"] == "empirical":
        latency["quantiles"] = fields.durations("quantiles", limit=MAX_QUANTILES, high=600.0)
    else:
        latency |= {
            "mean": fields.duration("mean", high=600.0),
            "sigma": fields.number("sigma", 0.0, high=10.0),
        }
    fields.finish()
    return latency
