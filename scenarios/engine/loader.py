"""From a scenario file to a :class:`Scenario`, or to everything that is wrong with the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from beskar7.api.documents import Node, parse, read_file
from beskar7.api.problems import DocumentError, Problem, Problems, Where, closest
from beskar7.flags import manager_settings
from emulator.bmc.personality import Family
from emulator.bmc.personalityfile import load as read_personalities
from emulator.bmc.personalityfile import personalities
from emulator.bmc.shards import MAX_SHARDS
from emulator.fields import FieldError
from scenarios.engine.act_fields import read_act, read_check
from scenarios.engine.config_fields import read_config
from scenarios.engine.fault_fields import NAME, read_fault
from scenarios.engine.fields import Fields
from scenarios.engine.load_fields import MAX_SECONDS, read_labels, read_load, read_tags
from scenarios.engine.objectives import MOST, Objective, ObjectiveError, parse_objective
from scenarios.engine.overrides import apply_override
from scenarios.engine.quantities import beside
from scenarios.engine.rehearsal.script_fields import read_rehearsal
from scenarios.engine.schema import (
    AddFault,
    ClearFault,
    CreateMachines,
    HostGroup,
    HostsSpec,
    KillManager,
    Limits,
    ManagersSpec,
    Scenario,
    StartManager,
    WorldSpec,
)

MAX_HOSTS = 10_000
MAX_GROUPS = 50
NEEDS_PODS = "memory-leak: a leak is of a pod; set world.managers.deployed: true"


def catalog() -> dict[str, Path]:
    """The scenarios that come with the harness, by name."""
    folder = Path(str(resources.files("scenarios"))) / "catalog"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load(name_or_file: str, overrides: Sequence[str] = ()) -> Scenario:
    """A scenario of the catalogue by name, or a file. Raises :class:`DocumentError`."""
    return build(read_file(find(name_or_file)), overrides)


def find(name_or_file: str) -> Path:
    """Where a scenario is. Raises :class:`DocumentError` for what is neither name nor file."""
    known = catalog()
    if name_or_file in known:
        return known[name_or_file]
    if "/" in name_or_file or name_or_file.endswith((".yaml", ".yml")):
        return Path(name_or_file)
    message = f"no scenario of this name, and not a .yaml file; {closest(name_or_file, known)}"
    raise DocumentError([Problem(Where(name_or_file), "", message)])


def loads(text: str, source: str = "scenario.yaml", overrides: Sequence[str] = ()) -> Scenario:
    """A scenario from text; ``source`` names it in errors."""
    return build(parse(text, source), overrides)


def build(document: Node, overrides: Sequence[str] = ()) -> Scenario:
    """Check a document, with ``overrides`` applied in their order."""
    for override in overrides:
        apply_override(document, override)
    problems = Problems()
    scenario = read_scenario(document, problems)
    problems.raise_if_any()
    return scenario


def read_scenario(document: Node, problems: Problems) -> Scenario:
    """What the document says as far as it is right; what is not goes to ``problems``."""
    top = Fields(document, "", problems, document.where)
    world = top.child("world", required=True)
    hosts = world.child("hosts", required=True)
    places, known = _personalities(hosts)
    faults = [
        (at, read_fault(node, at, problems, vendors=known))
        for at, node in top.items("faults", limit=100)
    ]
    acts = [
        (at, node, read_act(node, at, problems, known)) for at, node in top.items("acts", limit=200)
    ]
    rehearsal = None
    if top.has("rehearsal"):
        if acts:
            top.wrong("acts", "a file has acts or a rehearsal; put them under rehearsal.cause")
        rehearsal, acts = read_rehearsal(top.child("rehearsal"), known, faults=bool(faults))
    checks = [read_check(node, at, problems) for at, node in top.items("checks", limit=100)]
    whole = _world(world, _hosts(hosts, places, known))
    if rehearsal is not None:
        # Remedies are for an installation: a Deployment whose pods kubectl sees.
        whole = replace(whole, managers=replace(whole.managers, deployed=True))
    scenario = Scenario(
        name=top.text("name", pattern=NAME, example="claim-storm"),
        description=top.text("description", ""),
        world=whole,
        load=read_load(top.child("load", required=True)),
        faults=tuple(fault for _, fault in faults),
        acts=() if rehearsal else tuple(act for _, _, act in acts),
        checks=tuple(checks),
        limits=_limits(top.child("limits")),
        objectives=tuple(_objectives(top)),
        guide=top.text("guide", ""),
        rehearsal=rehearsal,
    )
    top.finish()
    _consistency(scenario, acts, top, problems)
    return scenario


def _world(fields: Fields, hosts: HostsSpec) -> WorldSpec:
    managers, fixed = _managers(fields.child("managers"))
    world = WorldSpec(hosts, managers, read_config(fields, fixed))
    fields.finish()
    return world


def _hosts(fields: Fields, places: tuple[str, ...], known: Mapping[str, Family]) -> HostsSpec:
    vendors: Mapping[str, float] = {"generic": 1.0}
    if fields.has("vendors"):
        of = fields.child("vendors")
        weights = {name: of.number(name, high=1e6) for name in of.names() if name in known}
        for name in known:
            of.node(name)
        of.finish()
        if sum(weights.values()) > 0:
            vendors = weights
        else:
            fields.wrong("vendors", "needs a weight above zero, as in {dell: 2, hpe: 1}")
    scale = fields.child("scale")
    count = fields.integer("count", low=1, high=MAX_HOSTS)
    plain = _group(fields, HostGroup(0))
    hosts = HostsSpec(
        count=count,
        vendors=vendors,
        racks=fields.integer("racks", 1, low=1, high=1000),
        cores=plain.cores,
        memory_gib=plain.memory_gib,
        labels=plain.labels,
        tags=plain.tags,
        groups=_groups(fields, plain, count),
        shards=fields.integer("shards", 1, low=1, high=MAX_SHARDS),
        boot_scale=scale.number("boot", HostsSpec(1).boot_scale, high=100.0),
        latency_scale=scale.number("latency", HostsSpec(1).latency_scale, high=100.0),
        personalities=places,
    )
    scale.finish()
    fields.finish()
    return hosts


def _personalities(fields: Fields) -> tuple[tuple[str, ...], Mapping[str, Family]]:
    """The places of personalities, relative to the file that names them, and all vendors."""
    known = personalities()
    node = fields.node("personalities")
    if node is None:
        return (), known
    places = tuple(beside(node, place) for place in fields.texts("personalities"))
    for place in places:
        try:
            known = read_personalities(Path(place), known)
        except FieldError as bad:
            fields.wrong("personalities", str(bad))
    return places, known


def _group(fields: Fields, default: HostGroup) -> HostGroup:
    """What makes hosts differ; labels add to those of ``default``, tags replace them."""
    return HostGroup(
        count=default.count,
        cores=fields.integer("cores", default.cores, low=1, high=4096),
        memory_gib=fields.integer("memory_gib", default.memory_gib, low=1, high=65_536),
        labels={**default.labels, **read_labels(fields, "labels")},
        tags=read_tags(fields, "tags") if fields.has("tags") else default.tags,
    )


def _groups(fields: Fields, plain: HostGroup, count: int) -> tuple[HostGroup, ...]:
    found = []
    for at, node in fields.items("groups", limit=MAX_GROUPS):
        of = Fields(node, at, fields.problems, node.where)
        group = _group(of, plain)
        found.append(replace(group, count=of.integer("count", low=1, high=MAX_HOSTS)))
        of.finish()
    if (total := sum(group.count for group in found)) > count:
        fields.wrong("groups", f"have {total} hosts in all, but world.hosts.count is {count}")
    return tuple(found)


def _managers(fields: Fields) -> tuple[ManagersSpec, Mapping[str, Any]]:
    """Beside them the fields of the tuning that their flags set."""
    fixed: Mapping[str, Any] = {}
    managers = ManagersSpec(
        replicas=fields.integer("replicas", 1, low=0, high=50),
        args=fields.scalars("args"),
        deployed=fields.flag("deployed"),
    )
    for name in managers.args:
        if name.startswith("-"):
            fields.wrong("args", f'write the flag "{name}" without its dashes')
            break
    else:
        try:
            fixed = manager_settings("check", managers.args).fixed
        except ValueError as error:  # the manager's own reader of its flags
            fields.wrong("args", str(error))
    fields.finish()
    return managers, fixed


def _objectives(fields: Fields) -> Iterator[Objective]:
    for number, text in enumerate(fields.texts("objectives", limit=MOST)):
        try:
            yield parse_objective(text)
        except ObjectiveError as error:
            fields.wrong("objectives", f'{number}: "{error.text}": {error.line}')


def _limits(fields: Fields) -> Limits:
    default = Limits()
    limits = Limits(
        timeout=fields.duration("timeout", default.timeout, low=1.0, high=MAX_SECONDS),
        enrol_timeout=fields.duration("enrol_timeout", default.enrol_timeout, low=1.0),
    )
    fields.finish()
    return limits


def _of_pods(fault: Mapping[str, Any]) -> bool:
    return bool(fault["kind"] == "memory-leak")


def _consistency(
    scenario: Scenario, acts: list[tuple[str, Node, Any]], top: Fields, problems: Problems
) -> None:
    """What each field allows on its own, but not together."""
    if problems.found:
        return
    known = {fault["id"] for fault in scenario.faults}
    if len(known) < len(scenario.faults):
        top.wrong("faults", "two faults have the same id")
    if not scenario.world.managers.deployed and any(map(_of_pods, scenario.faults)):
        top.wrong("faults", NEEDS_PODS)
    managers, deployed = scenario.world.managers.replicas, scenario.world.managers.deployed
    created = scenario.load.machines
    remedy = () if scenario.rehearsal is None else scenario.rehearsal.remedy
    steps = [(path, node, act.action, act.trigger.count) for path, node, act in acts]
    whole = top.node("rehearsal")
    if whole is not None:
        nodes = whole.mapping["remedy"].items
        steps += [
            (f"rehearsal.remedy[{number}]", nodes[number], action, 0)
            for number, action in enumerate(remedy)
        ]
    for path, node, action, count in steps:
        if isinstance(action, AddFault):
            if _of_pods(action.fault) and not deployed:
                problems.add(node.where, path, NEEDS_PODS)
            if action.fault["id"] in known:
                problems.add(node.where, path, f'a fault "{action.fault["id"]}" exists already')
            known.add(action.fault["id"])
        elif isinstance(action, ClearFault) and action.id is not None and action.id not in known:
            message = f'no fault "{action.id}" was added before; {closest(action.id, known)}'
            problems.add(node.where, path, message)
        elif isinstance(action, StartManager):
            managers += 1
        elif isinstance(action, KillManager):
            if deployed and action.restart is not None:
                message = "the kubelet starts it again by itself; leave restart out"
                problems.add(node.where, path, message)
            managers -= action.restart is None and not deployed
            if managers < 0:
                problems.add(node.where, path, "no manager is left to kill at this act")
        elif isinstance(action, CreateMachines):
            created += action.count
        if count > created:
            message = f"waits for {count} machines, but only {created} exist by then"
            problems.add(node.where, path, message)
