"""What there is: a fleet and its controller as a cluster shows them, and what happened there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from beskar7.api import conditions, kinds
from beskar7.api.documents import Node
from beskar7.api.errors import NotFound
from beskar7.api.kinds import BESKAR7_MACHINE, CONFIG_MAP, DEPLOYMENT, PHYSICAL_HOST
from beskar7.api.meta import parse_rfc3339
from beskar7.api.objects import Object
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.api.states import HostState
from beskar7.config import CONFIG_MAP_NAME, ConfigError
from beskar7.flags import manager_settings
from beskar7.kube.port import Kube
from beskar7.manifests.objects import NAME
from beskar7.operations.cluster import Cluster
from beskar7.operations.podstatus import container
from scenarios.engine.loader import MAX_HOSTS
from scenarios.planner.demand import scenario_document
from scenarios.planner.fleet import fleet_of, mix_of

HOUR = 3600.0
KEPT_FLAGS = (
    *("leader-elect", "leader-elect-lease-duration", "leader-elect-renew-deadline"),
    *("leader-elect-retry-period", "enable-claim-coordinator-leader-election"),
    *("claim-coordinator-lease-duration", "claim-coordinator-renew-deadline"),
    *("claim-coordinator-retry-period", "stuck-state-timeout", "max-retries"),
)
"""Flags that say how managers work; the others say where. ``--max-concurrent-reconciles`` would
keep the plan from setting its key of the ConfigMap."""
MAX_TOLD = 5
"""Settings that are refused and told."""


class PresentError(Exception):
    """There is nothing to plan with; ``args[0]`` says why."""


@dataclass(frozen=True, slots=True)
class History:
    """What happened. ``burst``: machines of the busiest hour, and the seconds in which they came.

    ``quartile``: the time from a machine's creation to Provisioned that a quarter of them took at
    most, in seconds: of those that waited least for others. ``lifetime``: mean, in seconds.
    None: it is not known. ``source``: in words.
    """

    burst: tuple[int, float] | None = None
    quartile: float | None = None
    lifetime: float | None = None
    source: str = ""

    def over(self, other: History) -> History:
        """This, and what it does not know from the other."""
        return History(
            self.burst or other.burst,
            self.quartile or other.quartile,
            self.lifetime or other.lifetime,
            "; ".join(each for each in (self.source, other.source) if each),
        )


@dataclass(frozen=True, slots=True)
class Present:
    """``hosts``, ``config``, ``managers`` as a scenario has them. ``notes``: what was left out, and
    how."""

    hosts: Mapping[str, Any]
    config: Mapping[str, str]
    managers: Mapping[str, Any]
    history: History = field(default_factory=History)
    notes: tuple[str, ...] = ()
    mix: tuple[Mapping[str, Any], ...] = ()
    """What machines ask of their hosts, by weight; empty where they take any."""


def of_cluster(cluster: Cluster, *, more: bool = False) -> Present:
    """Read it. ``more``: for machines beside those of now, so only for the hosts that are free.

    Raises an ApiError, and PresentError where there are no hosts.
    """
    kube = cluster.kube
    hosts = [PhysicalHost(each) for each in kube.list(PHYSICAL_HOST).items]
    machines = [Beskar7Machine(each) for each in kube.list(BESKAR7_MACHINE).items]
    config = _found(kube, CONFIG_MAP, cluster.namespace, CONFIG_MAP_NAME).get("data") or {}
    deployment = _found(kube, DEPLOYMENT, cluster.namespace, NAME)
    usable = [host for host in hosts if host.state != HostState.ERROR and not host.deleting]
    notes = []
    if len(hosts) > len(usable):
        notes.append(f"{len(hosts) - len(usable)} hosts in Error or being deleted are not counted")
    if more and (owned := sum(host.consumer is not None for host in usable)):
        usable = [host for host in usable if host.consumer is None]
        notes.append(f"{owned} hosts that machines own now are not counted: they stay in use")
    if not usable:
        raise PresentError("the cluster has no PhysicalHost that could be used")
    if len(usable) > MAX_HOSTS:
        raise PresentError(f"the cluster has {len(usable)} hosts; the limit is {MAX_HOSTS}")
    managers = _managers(deployment)
    known, refused = _in_force(config, managers["args"])
    fleet, said = fleet_of(usable, machines)
    return Present(
        hosts=fleet,
        config=known,
        managers=managers,
        history=_history(machines),
        notes=(*notes, *refused, *said),
        mix=mix_of(machines),
    )


def _found(kube: Kube, kind: kinds.Kind, namespace: str, name: str) -> Object:
    try:
        return kube.get(kind, namespace, name)
    except NotFound:
        return {}


def _in_force(
    config: Mapping[str, Any], args: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """The ConfigMap's settings: none where the managers refuse it, and then a note that says why.

    Which good values they still keep from before, nobody else knows; a manager that starts has
    defaults. Raises PresentError for flags that no manager would start with.
    """
    settings = {key: str(value) for key, value in config.items()}
    try:
        manager_settings("present", args).tuned(settings)
    except ConfigError as error:
        why = "; ".join(error.problems[:MAX_TOLD])
        return {}, [f"the managers refuse ConfigMap {CONFIG_MAP_NAME}, so defaults count: {why}"]
    except ValueError as error:
        raise PresentError(f"Deployment {NAME}: {error}") from None
    return settings, []


def _managers(deployment: Object) -> dict[str, Any]:
    spec = deployment.get("spec") or {}
    manager = container(spec.get("template") or {})
    args = {}
    for word in [*(manager.get("command") or ()), *(manager.get("args") or ())]:
        name, _, value = str(word).lstrip("-").partition("=")
        if str(word).startswith("--") and name in KEPT_FLAGS:
            args[name] = value or "true"
    return {"replicas": int(spec.get("replicas", 1)), "args": args}


def _history(machines: Sequence[Beskar7Machine]) -> History:
    """Of the machines of now: when they were created, and how long it took them."""
    created = sorted(machine.created for machine in machines if machine.created)
    times = []
    for machine in machines:
        ready = conditions.get_condition(machine.status, conditions.INFRASTRUCTURE_READY) or {}
        if ready.get("status") == "True" and ready.get("lastTransitionTime"):
            took = parse_rfc3339(ready["lastTransitionTime"]) - machine.created
            if took > 0:
                times.append(took)
    quartile = sorted(times)[math.ceil(len(times) / 4) - 1] if times else None
    source = f"{len(created)} machines of now, {len(times)} of them Provisioned"
    return History(_burst(created), quartile, None, source if created else "")


def _burst(created: Sequence[float]) -> tuple[int, float] | None:
    """The hour that had most; ``created`` in order."""
    best: tuple[int, float] | None = None
    first = 0
    for last, at in enumerate(created):
        while at - created[first] > HOUR:
            first += 1
        if best is None or last - first + 1 > best[0]:
            best = last - first + 1, at - created[first]
    return best


def document(present: Present, machines: int | None, load: Mapping[str, Any]) -> Node:
    """The scenario to plan for: the busiest hour again, or ``machines`` as it had them.

    ``load``: what options say of arrivals and lifetimes, which wins over the history. Raises
    PresentError where neither knows how many machines there are to be.
    """
    history = present.history
    count = machines or (history.burst[0] if history.burst else 0)
    if not count:
        raise PresentError("no machine is there or was seen; say how many to plan for: --machines")
    wanted: dict[str, Any] = {"machines": count, **load}
    if "arrivals" not in wanted and history.burst and history.burst[1] >= 1.0:
        wanted["arrivals"] = {"poisson": round(history.burst[0] / history.burst[1], 5)}
    if "lifetime" not in wanted and history.lifetime:
        wanted["lifetime"] = {"exponential": f"{history.lifetime:.0f}s"}
    if present.mix:
        wanted["mix"] = [dict(variant) for variant in present.mix]
    return scenario_document(present.hosts, wanted, present.config, present.managers, "the cluster")


def told(present: Present) -> list[str]:
    """What was read, in lines."""
    hosts, history = present.hosts, present.history
    vendors = ", ".join(f"{count} {name}" for name, count in hosts["vendors"].items())
    replicas = present.managers.get("replicas", 1)
    lines = [f"{hosts['count']} hosts ({vendors}), {replicas} managers", *present.notes]
    if history.burst:
        lines.append(f"busiest hour: {history.burst[0]} machines within {history.burst[1]:.0f} s")
    if history.quartile:
        lines.append(f"a quarter was Provisioned within {history.quartile:.0f} s")
    if history.lifetime:
        lines.append(f"a machine stays {history.lifetime:.0f} s on average")
    return lines


def with_history(present: Present, history: History) -> Present:
    """Where both know something, ``history`` does: it looks further back."""
    return replace(present, history=history.over(present.history))
