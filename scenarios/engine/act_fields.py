"""Acts and checks of a scenario file."""

from __future__ import annotations

from collections.abc import Collection
from typing import get_args

from beskar7.api.documents import Node
from beskar7.api.problems import Problems
from beskar7.config import read_setting
from scenarios.engine.fault_fields import NAME, read_fault
from scenarios.engine.fields import Fields
from scenarios.engine.measure_names import MEASURES, Unit
from scenarios.engine.rehearsal.kubectl_line import MAX_LINE, read_kubectl
from scenarios.engine.rehearsal.remedies import Procedure, Recover
from scenarios.engine.schema import (
    Act,
    Action,
    AddFault,
    Check,
    ClearFault,
    Configure,
    CreateMachines,
    DeleteMachines,
    Door,
    KillManager,
    Moment,
    StartManager,
    Target,
    Trigger,
    Which,
)

MAX_MACHINES = 100_000
MAX_CALLS = 100_000_000
MAX_MANIFESTS = 50
MAX_OPERATIONS = 50
"""As the key of the ConfigMap takes."""
ACTIONS = (
    "create_machines",
    "delete_machines",
    "kill_manager",
    "start_manager",
    "add_fault",
    "clear_fault",
    "configure",
    "kubectl",
    "recover",
)
BESIDE = {"kubectl": ("manifests",), "recover": ("names", "restart", "ops")}
"""What may stand beside an action and belongs to it."""
BOUNDS = ("max", "min", "equals")
ZERO = CreateMachines(0)


def read_act(node: Node, path: str, problems: Problems, vendors: Collection[str]) -> Act:
    """An act; ``vendors`` are those that its faults may select."""
    fields = Fields(node, path, problems, node.where)
    trigger = _trigger(fields)
    action = read_action(fields, vendors, trigger.door is not None)
    if trigger.door is not None and not isinstance(action, KillManager):
        fields.wrong("when", "door is a trigger for kill_manager only; at a call nothing else fits")
    for name in ("at", "when", "delay"):
        fields.node(name)
    fields.finish()
    return Act(trigger, action)


def read_action(fields: Fields, vendors: Collection[str], at_door: bool = False) -> Action:
    """The one action among ``fields``; what is wrong with it goes to their problems."""
    given = [name for name in ACTIONS if name in fields.names()]
    action: Action = ZERO
    if len(given) == 1:
        action = _action(fields, given[0], fields.problems, vendors, at_door)
    else:
        said = f"has {len(given)} actions" if given else "has no action"
        fields.problems.add(fields.where, fields.path, f"{said}; give one of {', '.join(ACTIONS)}")
    for name in ACTIONS:
        fields.node(name)
        for beside in BESIDE.get(name, ()):
            if name in given:
                fields.node(beside)
    return action


def _trigger(fields: Fields) -> Trigger:
    timed, conditional = fields.has("at"), fields.has("when")
    if timed == conditional:
        message = 'give either "at: 3s" or "when: {provisioned: 10}"'
        fields.problems.add(fields.where, fields.path, message)
        return Trigger(at=0.0)
    if timed:
        if fields.has("delay"):
            fields.wrong("delay", 'belongs to "when"; add it to "at" instead')
        return Trigger(at=fields.duration("at"))
    delay = fields.duration("delay", 0.0)
    when = fields.child("when")
    given = when.names()
    trigger = Trigger(condition="settled", delay=delay)
    if when.has("delay"):
        when.node("delay")
        when.wrong("delay", 'stands beside "when", not in it')
    elif len(given) > 1:
        fields.wrong("when", "has several conditions; give one, and a second act for another")
    elif given == ["claimed"]:
        trigger = Trigger(
            condition="claimed",
            count=when.integer("claimed", low=1, high=MAX_MACHINES),
            delay=delay,
        )
    elif given == ["provisioned"]:
        trigger = Trigger(
            condition="provisioned",
            count=when.integer("provisioned", low=1, high=MAX_MACHINES),
            delay=delay,
        )
    elif given == ["door"]:
        trigger = Trigger(door=_door(when.child("door")))
        if delay:
            fields.wrong("delay", "who dies at a door dies at once; leave it out")
    elif given == ["settled"] and not when.flag("settled"):
        when.wrong("settled", "can only be true")
    elif not given:
        fields.wrong("when", "needs a condition: claimed, provisioned, settled or door")
    for name in ("claimed", "provisioned", "settled", "door"):
        when.node(name)
    when.finish()
    return trigger


def _door(fields: Fields) -> Door:
    door = Door(
        moment=fields.choice("moment", get_args(Moment), "call"),
        nth=fields.integer("nth", 1, low=1, high=MAX_CALLS),
        match=fields.text("match", "*"),
    )
    fields.finish()
    return door


def _action(
    fields: Fields, name: str, problems: Problems, vendors: Collection[str], at_door: bool
) -> Action:
    if name == "add_fault":
        node = fields.node(name, required=True)
        if node is None:
            return ZERO
        return AddFault(read_fault(node, fields.at(name), problems, vendors=vendors))
    if name == "configure":
        return _configure(fields)
    if name == "kubectl":
        return _kubectl(fields)
    if name == "recover":
        return _recover(fields)
    of = fields.child(name, required=name in ("create_machines", "delete_machines"))
    action: Action
    match name:
        case "create_machines":
            action = CreateMachines(of.integer("count", low=1, high=MAX_MACHINES))
        case "delete_machines":
            action = DeleteMachines(
                of.integer("count", low=1, high=MAX_MACHINES),
                of.choice("which", get_args(Which), "provisioned-first"),
            )
        case "kill_manager":
            if at_door and of.has("target"):
                of.wrong("target", "whoever goes through the door is killed; leave it out")
            action = KillManager(
                None if at_door else of.choice("target", get_args(Target), "leader"),
                of.duration("restart", None),
            )
        case "start_manager":
            action = StartManager()
        case _:
            action = ClearFault(of.text("id", None, pattern=NAME, example="slow-1"))
    of.finish()
    return action


def _recover(fields: Fields) -> Action:
    action = Recover(
        fields.choice("recover", get_args(Procedure)),
        fields.texts("names"),
        fields.flag("restart"),
        fields.integer("ops", None, low=1, high=MAX_OPERATIONS),
    )
    if action.names and action.procedure != "hosts":
        fields.wrong("names", "is of recover: hosts alone")
    for name in ("restart", "ops"):
        if fields.has(name) and action.procedure != "queue":
            fields.wrong(name, "is of recover: queue alone")
    return action


def _kubectl(fields: Fields) -> Action:
    line = fields.text("kubectl", limit=MAX_LINE)
    manifests = [node.plain() for _, node in fields.items("manifests", limit=MAX_MANIFESTS)]
    if wrong := [m for m in manifests if not isinstance(m, dict)]:
        fields.wrong("manifests", f"{wrong[0]!r} is not a manifest; it has to be a mapping")
        return ZERO
    try:
        return read_kubectl(line, manifests)
    except ValueError as error:
        if line:
            fields.wrong("kubectl", str(error))
        return ZERO


def _configure(fields: Fields) -> Configure:
    settings = fields.scalars("configure")
    for key, text in settings.items():
        try:
            read_setting(key, text)
        except ValueError as error:
            fields.wrong("configure", f"{key}: {error}")
        if "cooldown" in key.lower():
            said = "may not change while BMCs are judged by it; set it in world.config"
            fields.wrong("configure", f"{key}: {said}")
    if not settings:
        fields.wrong("configure", "needs settings, as in {provisioning.maxConcurrentOps: 0}")
    return Configure(settings)


def read_check(node: Node, path: str, problems: Problems) -> Check:
    fields = Fields(node, path, problems, node.where)
    measure = fields.text("measure", known=MEASURES)
    unit: Unit = MEASURES[measure].unit if measure in MEASURES else "number"
    given = [name for name in BOUNDS if fields.has(name)]
    if len(given) != 1:
        said = "has no bound" if not given else "has several bounds"
        problems.add(fields.where, path, f"{said}; give one of {', '.join(BOUNDS)}")
    values = {name: _bound(fields, name, unit) for name in given if measure in MEASURES}
    for name in BOUNDS:
        fields.node(name)
    fields.finish()
    return Check(measure, unit, values.get("max"), values.get("min"), values.get("equals"))


def _bound(fields: Fields, name: str, unit: Unit) -> float:
    """A threshold in the unit of its measure; a ratio may be written as ``10%``."""
    if unit == "seconds":
        return float(fields.duration(name))
    if unit == "ratio" and fields.has_text(name):
        return float(fields.number(name, high=100.0, unit="%")) / 100.0
    return float(fields.number(name, high=1.0 if unit == "ratio" else 1e12))
