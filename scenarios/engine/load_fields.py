"""The load of a scenario file: which machines come, when, and for how long."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from beskar7.api.admission.context import Findings
from beskar7.api.admission.machines import validate_at
from beskar7.api.documents import Node
from beskar7.api.problems import DocumentError
from scenarios.engine.act_fields import MAX_MACHINES
from scenarios.engine.arrivals import MAX_PEAK
from scenarios.engine.expand import machine_spec
from scenarios.engine.fault_fields import NAME
from scenarios.engine.fields import Fields
from scenarios.engine.quantities import beside
from scenarios.engine.schema import (
    BOOT_MODES,
    OS_FAMILIES,
    PROVISIONING_MODES,
    Arrivals,
    Coming,
    Day,
    HostRequirements,
    Lifetime,
    LoadSpec,
    Trace,
    Variant,
)
from scenarios.engine.tracefile import read_trace

MAX_SECONDS = 7 * 86_400.0
RATED: tuple[Literal["poisson", "constant"], ...] = ("poisson", "constant")
LIFETIMES: tuple[Literal["exponential", "constant"], ...] = ("exponential", "constant")
MIN_RATE = 1e-5
"""Machines per second: one a day, about."""
MAX_RATE = 10_000.0
"""Machines per second."""
MAX_SPEED = 1e6
"""Times as fast as it was recorded."""
MAX_PLACE = 1024
"""Characters of a file's place."""
MAX_VARIANTS = 50
MAX_WEIGHT = 1000
MAX_ENTRIES = 64
"""Tags, and labels, of one list; this and the next three are the bounds of the CRD."""
MAX_LENGTH = 63
"""Characters of a tag, and of a label's value."""
MAX_CORES = 100_000
MAX_MEMORY_GB = 10_000_000
FIELDS = {
    "imageURL": "image_url",
    "osFamily": "os_family",
    "provisioningMode": "provisioning_mode",
    "configURL": "config_url",
}
"""The file's name for each field that admission has a rule for."""


def read_load(fields: Fields) -> LoadSpec:
    mix, arrivals = _mix(fields), _arrivals(fields)
    load = LoadSpec(
        machines=_machines(fields, arrivals.trace),
        mix=mix,
        arrivals=arrivals,
        lifetime=_lifetime(fields),
        namespace=fields.text("namespace", "default", pattern=NAME, example="default"),
    )
    if arrivals.trace is not None:
        _check_variants(fields, arrivals.trace, mix)
    fields.finish()
    return load


def _mix(fields: Fields) -> tuple[Variant, ...]:
    """The variants of ``mix``, or the one that the load itself describes."""
    own = _variant(fields, Variant())
    items = fields.items("mix", limit=MAX_VARIANTS)
    if fields.has("mix") and not items:
        node = fields.node("mix")
        if node is None or node.value == []:
            fields.wrong("mix", "is empty; give variants such as {provisioning_mode: PXE}")
    if not items:
        _admit(fields, own)
        return (own,)
    return tuple(_element(fields, at, node, own) for at, node in items)


def _element(fields: Fields, at: str, node: Node, own: Variant) -> Variant:
    of = Fields(node, at, fields.problems, node.where)
    weight = of.integer("weight", 1, low=1, high=MAX_WEIGHT)
    variant = _variant(of, own, weight)
    of.finish()
    _admit(of, variant)
    return variant


def _variant(fields: Fields, default: Variant, weight: int = 1) -> Variant:
    """What is left out is as in ``default``; mode and configuration stay together."""
    mode, config = default.provisioning_mode, default.config_url
    if fields.has("provisioning_mode") or fields.has("config_url"):
        mode = config = None
    requirements = default.requirements
    if fields.has("requirements"):
        requirements = _requirements(fields.child("requirements"))
    return Variant(
        weight=weight,
        image_url=fields.text("image_url", default.image_url),
        os_family=fields.choice("os_family", OS_FAMILIES, default.os_family),
        provisioning_mode=fields.choice("provisioning_mode", PROVISIONING_MODES, mode),
        config_url=fields.text("config_url", config),
        boot_mode=fields.choice("boot_mode", BOOT_MODES, default.boot_mode),
        requirements=requirements,
    )


def _admit(fields: Fields, variant: Variant) -> None:
    """Admission's own rules, so that no run begins whose machines are refused."""
    found = Findings()
    validate_at({"spec": machine_spec(variant)}, None, ("spec",), found)
    for cause in found.causes:
        name = cause.field.removeprefix("spec.")
        fields.wrong(
            FIELDS[name], cause.message.replace("provisioningMode", FIELDS["provisioningMode"])
        )


def _requirements(fields: Fields) -> HostRequirements:
    requirements = HostRequirements(
        required_tags=read_tags(fields, "required_tags"),
        preferred_tags=read_tags(fields, "preferred_tags"),
        required_labels=read_labels(fields, "required_labels"),
        preferred_labels=read_labels(fields, "preferred_labels"),
        min_cpu_cores=fields.integer("min_cpu_cores", 0, high=MAX_CORES),
        min_memory_gb=fields.integer("min_memory_gb", 0, high=MAX_MEMORY_GB),
    )
    fields.finish()
    return requirements


def read_tags(fields: Fields, name: str) -> tuple[str, ...]:
    return fields.texts(name, limit=MAX_ENTRIES, length=MAX_LENGTH)


def read_labels(fields: Fields, name: str) -> dict[str, str]:
    return fields.scalars(name, limit=MAX_ENTRIES, length=MAX_LENGTH)


def _lifetime(fields: Fields) -> Lifetime | None:
    """``{exponential: 30m}`` or ``{constant: 30m}``."""
    node = fields.node("lifetime")
    if node is None or node.value is None:
        return None
    hint = "write {exponential: 30m} or {constant: 30m}"
    if not isinstance(node.value, dict):
        fields.wrong("lifetime", f"is {node.shape()}; {hint}")
        return None
    of = fields.child("lifetime")
    for process in LIFETIMES:
        if of.names() == [process]:
            return Lifetime(process, of.duration(process, 0.0, low=0.001, high=MAX_SECONDS))
    fields.wrong("lifetime", f"has the fields {', '.join(of.names()) or 'none'}; {hint}")
    return None


def _arrivals(fields: Fields) -> Arrivals:
    """``batch``, or a mapping with one of the other processes, as ``{poisson: 5/s}``."""
    node = fields.node("arrivals")
    if node is None or node.value == "batch":
        return Arrivals()
    hint = "write batch, {poisson: 5/s}, {constant: 5/s}, {diurnal: {...}} or {trace: FILE.csv}"
    if not isinstance(node.value, dict):
        fields.wrong("arrivals", f"is {node.shape()}; {hint}")
        return Arrivals()
    of = fields.child("arrivals")
    for process in RATED:
        if of.names() == [process]:
            return Arrivals(process, of.rate(process, low=MIN_RATE, high=MAX_RATE))
    if of.names() == ["diurnal"]:
        return _diurnal(of.child("diurnal", required=True))
    if of.has("trace"):
        return Arrivals("trace", trace=_trace(of))
    fields.wrong("arrivals", f"has the fields {', '.join(of.names()) or 'none'}; {hint}")
    return Arrivals()


def _diurnal(fields: Fields) -> Arrivals:
    """``{mean: 200/d, peak: 3, at: 9h}``, and where the load begins in which period."""
    plain = Day()
    period = fields.duration("period", plain.period, low=1.0, high=MAX_SECONDS)
    day = Day(
        peak=fields.number("peak", plain.peak, low=1.0, high=MAX_PEAK),
        at=fields.duration("at", period / 2, high=period),
        starts=fields.duration("starts", plain.starts, high=period),
        period=period,
    )
    rate = fields.rate("mean", low=MIN_RATE, high=MAX_RATE / MAX_PEAK)
    fields.finish()
    return Arrivals("diurnal", rate, day)


def _trace(fields: Fields) -> Trace | None:
    """``{trace: FILE.csv}``, and ``speed``: the file's place is relative to the scenario's."""
    speed = fields.number("speed", 1.0, low=1e-3, high=MAX_SPEED)
    place = fields.text("trace", limit=MAX_PLACE)
    fields.finish()
    node = fields.node("trace")
    if node is None or not place:
        return None
    path = Path(beside(node, place))
    try:
        rows = read_trace(path)
    except DocumentError as error:
        for problem in error.problems:
            fields.wrong("trace", str(problem))
        return None
    if rows[-1].at / speed > MAX_SECONDS:
        days = f"{rows[-1].at / speed / 86_400.0:.4g}"
        fields.wrong("trace", f"lasts {days} days; the limit is 7: give a greater speed")
        return None
    return Trace(str(path), tuple(_faster(row, speed) for row in rows))


def _faster(row: Coming, speed: float) -> Coming:
    lifetime = None if row.lifetime is None else row.lifetime / speed
    return replace(row, at=row.at / speed, lifetime=lifetime)


def _machines(fields: Fields, trace: Trace | None) -> int:
    """``machines``; with a trace it may be left out for all of these."""
    if trace is None:
        return int(fields.integer("machines", low=0, high=MAX_MACHINES))
    count = len(trace.rows)
    machines = int(fields.integer("machines", count, low=0, high=MAX_MACHINES))
    if machines > count:
        fields.wrong("machines", f"is {machines}, but the trace has {count} arrivals")
    return machines


def _check_variants(fields: Fields, trace: Trace, mix: tuple[Variant, ...]) -> None:
    for row, coming in enumerate(trace.rows, 1):
        if coming.variant is not None and coming.variant >= len(mix):
            said = f"arrival {row} is of variant {coming.variant + 1}, but the mix has {len(mix)}"
            fields.wrong("arrivals", said)
            return
