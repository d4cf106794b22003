"""The parts of a scenario file: who reads each, where its fields fork, what stands in it."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Mapping
from typing import Any, get_args

from beskar7.api.documents import Node
from beskar7.api.problems import Problems
from beskar7.config import KEYS
from beskar7.flags import add_flags
from beskar7.term import MANAGER_LEASE
from emulator.bmc.personalityfile import personalities
from scenarios.engine.act_fields import ACTIONS, BOUNDS, read_act, read_check
from scenarios.engine.fault_fields import read_fault, read_latency, read_symptom
from scenarios.engine.fields import MAX_TEXT, Fields
from scenarios.engine.load_fields import read_load
from scenarios.engine.loader import read_scenario
from scenarios.engine.rehearsal.condition_fields import (
    ENDINGS,
    HEALTHY,
    WHATS,
    metrics,
    read_condition,
)
from scenarios.engine.rehearsal.script_fields import read_step
from scenarios.engine.schema import RestsOnElection
from scenarios.fileschema.forks import ByPresence, ByValue, Schema
from scenarios.fileschema.paths import node_of
from scenarios.fileschema.sections import Kind, Section
from scenarios.fileschema.survey import Reader


@functools.cache
def _vendors() -> tuple[str, ...]:
    return tuple(personalities())


def _flags() -> list[str]:
    """Of ``beskar7 manager``, without their dashes."""
    parser = argparse.ArgumentParser(add_help=False)
    add_flags(parser, {})
    return [name.removeprefix("--") for action in parser._actions for name in action.option_strings]


def _series() -> list[str]:
    """What a metric's condition may name."""
    return [
        name
        for metric, type_ in metrics().items()
        for name in (metric, *(f"{metric}{end}" for end in ENDINGS if type_ == "histogram"))
    ]


def _fields(node: Node, problems: Problems) -> Fields:
    return Fields(node, "", problems, node.where)


def _when(node: Node, problems: Problems) -> object:
    return read_act(_holding(node, "when", {"kill_manager": {}}), "", problems, _vendors())


def _in_load(name: str) -> Reader:
    def read(node: Node, problems: Problems) -> object:
        return read_load(_fields(_holding(node, name, {"machines": 1}), problems))

    return read


def _holding(node: Node, name: str, others: Mapping[str, Any]) -> Node:
    whole = node_of(others)
    whole.mapping[name] = node
    return whole


def _has(*path: str) -> Schema:
    """The condition that there is a field at the path."""
    name, *rest = path
    inner: Schema = {"type": "object", "required": [name]}
    return {**inner, "properties": {name: _has(*rest)}} if rest else inner


ACTION_VALUES: Mapping[str, Any] = {
    **{name: {} for name in ACTIONS},
    "add_fault": {"id": "a", "kind": "drip"},
    "configure": {next(iter(KEYS)): 1},
    "kubectl": "apply -f -",
    "recover": "queue",
}
WHAT_VALUES = (
    *("beskar7_provisioning_queue_length", "QueueFull", "*glob*", "ProvisioningQueueNearFull"),
    *("Error", "Provisioned", MANAGER_LEASE, HEALTHY),
)
"""One of each of :data:`WHATS`, in their order."""
ACTION_FORKS = (ByPresence(ACTION_VALUES), ByValue("recover"))
TRIGGER = ByPresence({"at": "1s", "when": {"settled": True}})
ONLY_KILLS = {
    "if": _has("when", "door"),
    "then": {
        "required": ["kill_manager"],
        "properties": {
            "delay": {"not": {"pattern": "[1-9]"}},
            "kill_manager": {"properties": {"target": False}},
        },
    },
}
WHOLE = {
    "if": {
        "properties": {
            "target": {"enum": ["api", "network"]},
            "kind": {"enum": ["partition", "restart", "clock-skew", "memory-leak"]},
        },
        "required": ["target", "kind"],
    },
    "then": {"properties": {"probability": {"const": 1}}},
}
"""Of the whole of an end, and so not drawn for."""
CONFIGURE = {"propertyNames": {"enum": [key for key in KEYS if "cooldown" not in key.lower()]}}
ALL_MACHINES = {
    "if": {"not": _has("load", "arrivals", "trace")},
    "then": {"properties": {"load": {"required": ["machines"]}}},
}
NO_ACTS = {"if": _has("rehearsal"), "then": {"properties": {"acts": {"maxItems": 0}}}}
BOUNDED = {
    "if": {"anyOf": [{"required": ["over"]}, {"required": ["quantile"]}]},
    "then": {"anyOf": [{"required": ["min"]}, {"required": ["max"]}]},
}
KNOWN_VENDORS = {
    "if": {"not": _has("world", "hosts", "personalities")},
    "then": {
        "properties": {
            "world": {
                "properties": {
                    "hosts": {
                        "properties": {"vendors": {"propertyNames": {"enum": list(_vendors())}}}
                    }
                }
            }
        }
    },
}
PERCENT = {
    "if": {"not": {"required": ["over"]}},
    "then": {"properties": {name: {"type": "number"} for name in ("min", "max")}},
}
OWN_VENDOR = {
    "anyOf": [{"enum": list(_vendors())}, {"type": "string", "minLength": 1, "maxLength": 253}]
}
"""One of those that come along, or of the file's personalities."""
SELECTED = {"type": "array", "items": OWN_VENDOR, "maxItems": 100}
SETTINGS: Schema = {
    key: {
        "description": (parse.__doc__ or "").strip(),
        "type": ["string", "number", "boolean"],
        "maxLength": MAX_TEXT,
    }
    for key, (_, parse) in KEYS.items()
}

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "scenario": {"name": "a", "world": {"hosts": {"count": 1}}, "load": {"machines": 1}},
    "arrivals": {"poisson": "5/s"},
    "lifetime": {"exponential": "30m"},
    "fault": {"id": "slow", "kind": "drip"},
    "symptom": {"kind": "drip"},
    "latency": {"mean": "300ms"},
    "act": {"at": "3s", "start_manager": {}},
    "when": {"settled": True},
    "step": {"recover": "queue"},
    "check": {"measure": "claimed", "equals": 1},
    "condition": {"event": "QueueFull", "within": "60s"},
}
SECTIONS: Mapping[str, Section] = {
    "scenario": Section(
        read_scenario,
        EXAMPLES["scenario"],
        refs={
            "load.arrivals": "arrivals",
            "load.lifetime": "lifetime",
            "faults[]": "fault",
            "acts[]": "act",
            "checks[]": "check",
            "rehearsal.cause[]": "act",
            "rehearsal.symptom[]": "condition",
            "rehearsal.remedy[]": "step",
            "rehearsal.recovery[]": "condition",
        },
        apart=("acts", "rehearsal"),
        optional=("load.machines",),
        clauses=(ALL_MACHINES, NO_ACTS, KNOWN_VENDORS),
        more={
            "world.config": {"properties": SETTINGS, "additionalProperties": False},
            "world.hosts.vendors": {"additionalProperties": {"type": "number", "minimum": 0}},
            "world.managers.args": {"propertyNames": {"enum": _flags()}},
            "rehearsal.breaks": {"items": {"enum": list(get_args(RestsOnElection))}},
        },
    ),
    "arrivals": Section(
        _in_load("arrivals"),
        EXAMPLES["arrivals"],
        (ByPresence({"poisson": "5/s", "constant": "5/s", "diurnal": {}, "trace": ""}),),
        inside="arrivals",
        beside=({"const": "batch"},),
    ),
    "lifetime": Section(
        _in_load("lifetime"),
        EXAMPLES["lifetime"],
        (ByPresence({"exponential": "30m", "constant": "30m"}),),
        inside="lifetime",
    ),
    "fault": Section(
        lambda node, problems: read_fault(node, "", problems, vendors=_vendors()),
        EXAMPLES["fault"],
        (ByValue("target"), ByValue("kind")),
        refs={"latency": "latency", "symptoms[]": "symptom"},
        clauses=(WHOLE,),
        more={"select.vendors": SELECTED, "to.vendors": SELECTED},
    ),
    "symptom": Section(
        lambda node, problems: read_symptom(_fields(node, problems)),
        EXAMPLES["symptom"],
        (ByValue("kind"),),
        refs={"latency": "latency"},
    ),
    "latency": Section(
        lambda node, problems: read_latency(_fields(node, problems)),
        EXAMPLES["latency"],
        (ByValue("distribution"),),
    ),
    "act": Section(
        lambda node, problems: read_act(node, "", problems, _vendors()),
        EXAMPLES["act"],
        (TRIGGER, *ACTION_FORKS),
        refs={"when": "when", "add_fault": "fault"},
        clauses=(ONLY_KILLS,),
        more={"configure": CONFIGURE},
    ),
    "when": Section(
        _when,
        EXAMPLES["when"],
        (ByPresence({"claimed": 1, "provisioned": 1, "settled": True, "door": {}}),),
        inside="when",
    ),
    "step": Section(
        lambda node, problems: read_step(node, "", problems, _vendors()),
        EXAMPLES["step"],
        ACTION_FORKS,
        refs={"add_fault": "fault"},
        more={"configure": CONFIGURE},
    ),
    "check": Section(
        lambda node, problems: read_check(node, "", problems),
        EXAMPLES["check"],
        (ByValue("measure"), ByPresence(dict.fromkeys(BOUNDS, 0))),
    ),
    "condition": Section(
        lambda node, problems: read_condition(node, "", problems),
        EXAMPLES["condition"],
        (ByPresence(dict(zip(WHATS, WHAT_VALUES, strict=True))), ByValue("absent")),
        apart=("over", "quantile"),
        also=({"metric": "beskar7_host_claim_duration_seconds", "quantile": 0.95},),
        clauses=({"not": {"required": ["over", "quantile"]}}, BOUNDED, PERCENT),
        more={"metric": {"enum": _series()}, "over.metric": {"enum": _series()}},
    ),
}
SCENARIO = Kind("scenario", "A scenario of Beskar7", SECTIONS)
