"""A fault in a scenario file, checked into the vocabulary of the fleet's or of the API's faults."""

from __future__ import annotations

from typing import Any

from beskar7.api.documents import Node
from beskar7.api.problems import Problems, closest
from beskar7.runtime.skew import MAX_DRIFT, MAX_OFFSET
from emulator.faultspec import Fault
from emulator.fields import FieldError
from emulator.kube.faults import faultspec
from emulator.kube.faults.faultspec import ApiFault
from scenarios.engine.fields import Fields
from scenarios.engine.schema import VENDORS

KINDS = ("latency", "error", "hang", "reset")
DISTRIBUTIONS = ("constant", "lognormal", "gamma", "uniform")
TARGETS = ("bmc", "api")
LOSING = ("error", "hang", "reset", "partition")
"""Kinds of fault that lose an answer whose request may have taken effect."""
CLIENTS = ("beskar7-manager/*",)
"""Whom a fault of the API hits unless it says so: the managers, and not the scenario's runner."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
NAME = r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?"


def read_fault(node: Node, path: str, problems: Problems) -> dict[str, Any]:
    """The fault as the fleet or the API takes it, times in seconds.

    What is wrong goes to ``problems``.
    """
    before = len(problems.found)
    fields = Fields(node, path, problems, node.where)
    api = fields.choice("target", TARGETS, "bmc") == "api"
    kind = fields.choice("kind", faultspec.KINDS if api else KINDS)
    fault: dict[str, Any] = {
        "id": fields.text("id", pattern=NAME, example="slow-1"),
        "kind": kind,
        "select": (_select_requests if api else _select)(fields.child("select")),
        "start": fields.duration("start", 0.0),
        "duration": fields.duration("duration", None, low=0.001),
        "probability": fields.number("probability", 1.0, high=1.0),
        "count": fields.integer("count", None, low=1, high=1_000_000),
    }
    if api:
        fault["target"] = "api"
        _belongs(fields, kind, "age", "stale-list")
        if fields.has("age"):
            fault["age"] = fields.duration("age", high=3600.0)
        _belongs(fields, kind, "offset", "clock-skew")
        _belongs(fields, kind, "drift", "clock-skew")
        if fields.has("offset"):
            fault["offset"] = fields.duration("offset", low=-MAX_OFFSET, high=MAX_OFFSET)
        if fields.has("drift"):
            fault["drift"] = fields.number("drift", low=-MAX_DRIFT, high=MAX_DRIFT)
    elif fields.has("match"):
        fault["match"] = _match(fields.child("match"))
    if fields.has("perform"):
        fault["perform"] = fields.flag("perform")
        if kind not in LOSING:
            fields.wrong("perform", f"belongs to faults of kind {', '.join(LOSING)}")
    _belongs(fields, kind, "latency", "latency")
    _belongs(fields, kind, "status", "error")
    _belongs(fields, kind, "retry_after", "error")
    if kind == "latency":
        fault["latency"] = _latency(fields.child("latency", required=True))
    if kind == "error":
        fault["status"] = fields.integer("status", 503, low=400, high=599)
        retry_after = fields.integer("retry_after", None, low=0, high=3600)
        if retry_after is not None:
            fault["retry_after"] = retry_after
    fields.finish()
    if len(problems.found) == before:
        try:
            ApiFault.from_dict(fault, path) if api else Fault.from_dict(fault, path)
        except FieldError as error:  # the emulator's own reader has the last word
            problems.add(node.where, "", str(error))
    return fault


def _belongs(fields: Fields, kind: str, name: str, owner: str) -> None:
    """``name`` is a field of faults of kind ``owner`` only."""
    if kind != owner and fields.has(name):
        fields.node(name)
        fields.wrong(name, f"belongs to faults of kind {owner}; this one is of kind {kind}")


def _select(fields: Fields) -> dict[str, Any]:
    select: dict[str, Any] = {}
    for name in ("hosts", "racks"):
        if patterns := fields.texts(name):
            select[name] = list(patterns)
    if vendors := fields.texts("vendors"):
        select["vendors"] = list(vendors)
        for vendor in vendors:
            if vendor not in VENDORS:
                fields.wrong("vendors", f'"{vendor}" is unknown; known: {", ".join(VENDORS)}')
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
        if patterns := fields.texts(name):
            select[name] = list(patterns)
    for verb in select.get("verbs", ()):
        if verb not in faultspec.VERBS:
            fields.wrong("verbs", f'"{verb}" is unknown; {closest(verb, faultspec.VERBS)}')
    fields.finish()
    return select


def _match(fields: Fields) -> dict[str, Any]:
    match: dict[str, Any] = {}
    if methods := fields.texts("methods"):
        match["methods"] = list(methods)
        for method in methods:
            if method not in METHODS:
                fields.wrong("methods", f'"{method}" is unknown; known: {", ".join(METHODS)}')
    path = fields.text("path", None, limit=512)
    if path is not None:
        match["path"] = path
    fields.finish()
    return match


def _latency(fields: Fields) -> dict[str, Any]:
    latency = {
        "distribution": fields.choice("distribution", DISTRIBUTIONS, "constant"),
        "mean": fields.duration("mean", high=600.0),
        "sigma": fields.number("sigma", 0.0, high=10.0),
    }
    fields.finish()
    return latency
