"""A load of machines, what it cost the managers, and the cluster as it was before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from beskar7.api.errors import ApiError
from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST, POD
from beskar7.api.resources import PhysicalHost
from beskar7.coordination.selection import claimable
from beskar7.operations.cluster import Cluster
from beskar7.operations.podstatus import SELECTOR, pod_name, running
from beskar7.operations.profile_counters import Counters, UsageSpan, look
from beskar7.operations.profile_load import RUN_LABEL, Load, Wish
from beskar7.operations.profile_report import counted, lasted

EVERY = 1.0
"""Seconds between looks at the managers while the load runs."""
CLEANUP = 600.0
"""Seconds that the machines may take to go and their hosts to be Available again."""
Progress = Callable[[str], None]


class Refused(Exception):
    """The load is not put on, or was refused; ``args[0]`` says why and what would be right."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``seconds``: how long the machines may take. ``force``: although too few hosts are free."""

    machines: int = 10
    seconds: float = 600.0
    namespace: str = "default"
    image_url: str = "http://images.example/profile.iso"
    os_family: str = "kairos"
    keep: bool = False
    force: bool = False
    dry_run: bool = False


@dataclass(slots=True)
class Cleanup:
    """``left``: what is not as it was, in words; empty when all is."""

    done: bool = False
    seconds: float = 0.0
    left: list[str] = field(default_factory=list)
    command: str = ""


@dataclass(slots=True)
class Profile:
    """What came of it. Lengths are seconds, memory is bytes."""

    run: str
    plan: Plan
    free_hosts: int
    load: Load
    counters: Counters = field(default_factory=Counters)
    usage: UsageSpan = field(default_factory=UsageSpan)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False
    cleanup: Cleanup = field(default_factory=Cleanup)

    @property
    def reached(self) -> bool:
        """Every machine was provisioned, and nothing is left of the load that should not be."""
        if self.plan.dry_run:
            return True
        machines = self.load.machines.values()
        all_there = len(machines) == self.plan.machines
        served = all_there and all(each.provisioned is not None for each in machines)
        return served and (self.plan.keep or self.cleanup.done) and not self.interrupted

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        machines = list(self.load.machines.values())
        return {
            "run": self.run,
            "namespace": self.plan.namespace,
            "dry_run": self.plan.dry_run,
            "reached": self.reached,
            "interrupted": self.interrupted,
            "free_hosts_before": self.free_hosts,
            "seconds": self.seconds,
            "machines": {
                "asked": self.plan.machines,
                "created": len(machines),
                "provisioned": sum(each.provisioned is not None for each in machines),
                "failed": {each.name: each.failure for each in machines if each.failure},
                "to_claim": lasted(
                    [each.claimed - each.created for each in machines if each.claimed]
                ),
                "to_provisioned": lasted(
                    [each.provisioned - each.created for each in machines if each.provisioned]
                ),
            },
            **counted(self.counters),
            "usage": {
                name: {
                    "cores_before": self.usage.before[name].cores if known else None,
                    "memory_before": self.usage.before[name].memory if known else None,
                    "cores_most": most.cores,
                    "memory_most": most.memory,
                }
                for name, most in sorted(self.usage.most.items())
                for known in [name in self.usage.before]
            },
            "notes": self.notes,
            "cleanup": {
                "done": self.cleanup.done,
                "kept": self.plan.keep,
                "seconds": self.cleanup.seconds,
                "left": self.cleanup.left,
                "command": self.cleanup.command,
            },
        }


def profile(cluster: Cluster, plan: Plan, progress: Progress = lambda _: None) -> Profile:
    """Put the load on, wait for it by watch, take it away, and tell the difference.

    An interrupt, or a cluster that fails, ends the wait, not the cleanup. Raises Refused, or an
    ApiError, before anything is created.
    """
    runtime = cluster.runtime
    run = f"{runtime.rng('profile-run').getrandbits(32):08x}"
    wish = Wish(run, plan.namespace, plan.image_url, plan.os_family)
    found = Profile(run, plan, _free(cluster, plan), Load(cluster, wish))
    selector = f"{RUN_LABEL}={run}"
    found.cleanup.command = f"kubectl delete beskar7machines -n {plan.namespace} -l {selector}"
    _admitted(cluster, wish)
    if plan.dry_run:
        return found
    found.counters.begin(cluster.metrics(), _pods(cluster))
    found.usage.look(cluster.usage(), first=True)
    began = runtime.now()
    try:
        with _looking(cluster, found):
            progress(f"creating {plan.machines} machines, run {run}")
            found.load.create(plan.machines)
            _await(cluster, found, began + plan.seconds, progress)
    except KeyboardInterrupt:
        found.interrupted = True
    except ApiError as error:
        found.notes.append(f"the load broke off: {error}")
    finally:
        found.seconds = runtime.now() - began
        if not plan.keep:
            _clean(cluster, found, progress)
    return found


def _free(cluster: Cluster, plan: Plan) -> int:
    hosts = [PhysicalHost(raw) for raw in cluster.kube.list(PHYSICAL_HOST, plan.namespace).items]
    free = sum(claimable(host) for host in hosts)
    if free < plan.machines and not plan.force:
        raise Refused(
            f"{plan.machines} machines want as many free hosts, and {free} of {len(hosts)} in "
            f"namespace {plan.namespace} are: fewer by --machines, another namespace by "
            "-n, or --force to go on all the same"
        )
    return free


def _admitted(cluster: Cluster, wish: Wish) -> None:
    """The server checks a machine as it would, webhooks included, and creates none."""
    try:
        cluster.kube.create(BESKAR7_MACHINE, wish.machine(1), dry_run=True)
    except ApiError as error:
        if error.code >= 500 or error.code == 429:
            raise
        raise Refused(f"the API server refuses such a machine: {error}") from None


def _pods(cluster: Cluster) -> set[str]:
    """Managers that should answer; empty where pods may not be listed."""
    try:
        pods = cluster.kube.list(POD, cluster.namespace, label_selector=SELECTOR).items
    except ApiError:
        return set()
    return {pod_name(pod) for pod in pods if running(pod)}


@contextmanager
def _looking(cluster: Cluster, found: Profile) -> Iterator[None]:
    """Looks at the managers now and then, in a task of its own, and once more at the end."""
    runtime = cluster.runtime
    stop = runtime.event()

    def run() -> None:
        while not stop.wait(EVERY):
            _look(cluster, found)

    task = runtime.spawn(run, name="profile-look")
    try:
        yield
    finally:
        stop.set()
        task.join()
        _look(cluster, found)


def _look(cluster: Cluster, found: Profile) -> None:
    try:
        look(cluster, found.counters, found.usage)
    except ApiError as error:
        text = f"a look at the managers failed: {error}"
        if text not in found.notes:
            found.notes.append(text)


def _await(cluster: Cluster, found: Profile, until: float, progress: Progress) -> None:
    machines = found.load.machines
    told = -1

    def enough() -> bool:
        nonlocal told
        done = sum(machine.provisioned is not None for machine in machines.values())
        if done != told:
            told = done
            left = max(0.0, until - cluster.runtime.now())
            progress(f"{done} of {len(machines)} provisioned, {left:.0f} s left")
        return found.load.all_settled or any(m.waits_for_owner for m in machines.values())

    if not found.load.follow(enough, until):
        found.notes.append(f"not all machines were provisioned within {found.plan.seconds:g} s")
    if any(machine.waits_for_owner for machine in machines.values()):
        found.notes.append(
            "the managers provision no machine without an owner Machine (--require-owner-machine)"
        )


def _clean(cluster: Cluster, found: Profile, progress: Progress) -> None:
    """Take the machines away, and see that their hosts are Available again."""
    runtime, cleanup, load = cluster.runtime, found.cleanup, found.load
    began = runtime.now()
    until = began + CLEANUP
    progress(f"cleaning up {len(load.machines)} machines")
    try:
        load.delete()
        load.follow(lambda: load.all_gone, until)
        cleanup.left = [f"machine {m.name}" for m in load.machines.values() if not m.gone]
        if not cleanup.left:
            progress("waiting for their hosts to be Available")
        cleanup.left += [f"host {host}" for host in load.await_hosts(until)]
        cleanup.done = not cleanup.left
    except ApiError as error:
        cleanup.left.append(f"the cleanup failed: {error}")
    except KeyboardInterrupt:
        found.interrupted = True
        cleanup.left = [f"machine {m.name}" for m in load.machines.values() if not m.gone]
        cleanup.left.append("the cleanup was interrupted")
    cleanup.seconds = runtime.now() - began
