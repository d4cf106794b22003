"""Reads the conditions of a rehearsal: what a symptom is, and what a recovery."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from prometheus_client.metrics import MetricWrapperBase

from beskar7.api.documents import Node
from beskar7.api.problems import Problems, closest
from beskar7.api.states import HostState
from beskar7.claim_term import CLAIM_LEASE
from beskar7.metrics import Metrics
from beskar7.monitoring.rules import rule_groups
from beskar7.operations.doctor.diagnosis import catalogue
from beskar7.term import MANAGER_LEASE
from scenarios.engine.fields import Fields
from scenarios.engine.rehearsal.conditions import (
    QUIET,
    AlarmFires,
    Bounds,
    Condition,
    DoctorFinds,
    EventCame,
    Happening,
    HostsAre,
    LeaseChanged,
    LogSaid,
    MachinesAre,
    MetricIs,
    Series,
    What,
)

WHATS = ("metric", "event", "log", "alarm", "hosts", "machines", "lease", "doctor")
PHASES = (
    "Waiting",
    "Claimed",
    "Deleting",
    "Pending",
    "Associating",
    "Provisioning",
    "Provisioned",
    "Failed",
)
NO_STATE = "None"
HEALTHY = "healthy"
ENDINGS = ("_count", "_sum", "_bucket")
"""Of the series of a histogram."""
MAX_WITHIN = 3600.0
MAX_COUNT = 1_000_000
NOTHING: What = EventCame("")


def read_condition(node: Node, path: str, problems: Problems) -> Condition:
    """One element of ``symptom`` or ``recovery``."""
    fields = Fields(node, path, problems, node.where)
    given = [name for name in WHATS if fields.has(name)]
    what = NOTHING
    absent = fields.flag("absent")
    if len(given) == 1:
        what = _what(fields, given[0], absent)
    else:
        for name in (*WHATS, "labels", "over", "quantile", "min", "max", "transitions"):
            fields.node(name)
        said = f"has {len(given)} conditions" if given else "has no condition"
        problems.add(fields.where, path, f"{said}; give one of {', '.join(WHATS)}")
    within = fields.duration("within", low=0.1, high=MAX_WITHIN)
    happens = isinstance(what, Happening)
    lasting = fields.duration("for", QUIET if absent and happens else 0.0, high=MAX_WITHIN)
    if happens and fields.has("for") and not absent:
        fields.wrong("for", "what has come stays so; leave it out, or add absent: true")
    if lasting > within:
        fields.wrong("within", f"is shorter than the {lasting:g}s for which it has to hold")
    fields.finish()
    return Condition(what, within, lasting, absent)


def _what(fields: Fields, name: str, absent: bool) -> What:
    match name:
        case "metric":
            return _metric(fields)
        case "event":
            reason = fields.text("event", pattern="[A-Z][A-Za-z]{0,127}", example="QueueFull")
            return EventCame(reason, _count(fields, "min"))
        case "log":
            return LogSaid(fields.text("log"), _count(fields, "min"))
        case "alarm":
            return AlarmFires(fields.text("alarm", known=alarms()))
        case "hosts":
            states = [state.value or NO_STATE for state in HostState]
            return HostsAre(fields.text("hosts", known=states), _bounds(fields, 1.0))
        case "machines":
            return MachinesAre(fields.text("machines", known=PHASES), _bounds(fields, 1.0))
        case "lease":
            lease = fields.text("lease", known=(MANAGER_LEASE, CLAIM_LEASE))
            return LeaseChanged(lease, _count(fields, "transitions"))
    return DoctorFinds(fields.text("doctor", known=(HEALTHY, *catalogue())))


def _count(fields: Fields, name: str) -> int:
    return int(fields.integer(name, 1, low=1, high=MAX_COUNT))


def _bounds(fields: Fields, default: float | None = None, unit: str = "") -> Bounds:
    """``min`` and ``max``; without both, at least ``default``."""
    scale = 100.0 if unit else 1.0

    def bound(name: str) -> float | None:
        if not fields.has(name):
            return None
        return float(fields.number(name, high=1e12, unit=unit)) / scale

    low, high = bound("min"), bound("max")
    if low is None and high is None:
        low = default
    if low is not None and high is not None and low > high:
        fields.wrong("min", "is more than max")
    return Bounds(low, high)


def _metric(fields: Fields) -> MetricIs:
    series = _series(fields, "metric")
    quantile = None
    over = None
    if fields.has("quantile"):
        quantile = fields.number("quantile", low=0.001, high=0.999)
        if series.name and metrics().get(series.name) != "histogram":
            fields.wrong("quantile", f"{series.name} is not a histogram")
        if fields.has("over"):
            fields.wrong("over", "does not go with quantile")
    elif metrics().get(series.name) == "histogram":
        fields.wrong("metric", f"is a histogram; give a quantile, or {series.name}_count or _sum")
    if fields.has("over"):
        inner = fields.child("over")
        over = _series(inner, "metric")
        inner.finish()
    bounds = _bounds(fields, unit="%" if over else "")
    if bounds == Bounds():
        if over is not None or quantile is not None:
            fields.wrong("metric", "has no bound; give min or max")
        # More than nothing: the least that a counter or a count can be.
        bounds = Bounds(minimum=1e-9)
    return MetricIs(series, bounds, over, quantile)


def _series(fields: Fields, name: str) -> Series:
    known = metrics()
    series: str = fields.text(name)
    if fields.has(name) and _family(series, known) is None:
        fields.wrong(name, f'no manager has a metric "{series[:80]}"; {closest(series, known)}')
    return Series(series, fields.scalars("labels"))


def _family(series: str, known: Mapping[str, str]) -> str | None:
    """The name of the metric whose series this is."""
    if series in known:
        return series
    for ending in ENDINGS:
        if series.endswith(ending) and known.get(series.removesuffix(ending)) == "histogram":
            return series.removesuffix(ending)
    return None


@functools.cache
def metrics() -> Mapping[str, str]:
    """What managers serve: the type by the name, counters as ``..._total``."""
    registry = Metrics()
    found = [*vars(registry).values(), *vars(registry.controllers).values()]
    families = [
        family
        for metric in found
        if isinstance(metric, MetricWrapperBase)
        for family in metric.describe()
    ]
    return {
        f"{family.name}_total" if family.type == "counter" else family.name: family.type
        for family in families
    }


@functools.cache
def alarms() -> tuple[str, ...]:
    """The alerts that ``beskar7 monitoring rules`` has."""
    rules = (rule for group in rule_groups()["groups"] for rule in group["rules"])
    return tuple(rule["alert"] for rule in rules if "alert" in rule)
