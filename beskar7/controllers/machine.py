"""Reconciles Beskar7Machines: claim a host, follow it, release it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from beskar7.api import conditions
from beskar7.api.clusters import cluster_paused
from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from beskar7.api.meta import ObjectKey, View
from beskar7.api.objects import copy_json
from beskar7.api.resources import (
    MACHINE_FINALIZER,
    Beskar7Machine,
    PhysicalHost,
    reference,
)
from beskar7.api.states import HostState
from beskar7.controllers.claims import Claims, kept
from beskar7.controllers.environment import Environment
from beskar7.controllers.handover import Handover
from beskar7.controllers.underway import ClaimsUnderWay
from beskar7.controllers.waiting import WaitingMachines
from beskar7.coordination.claimqueue import Waiting
from beskar7.coordination.hostpool import HostPool
from beskar7.coordination.requirements import Requirements
from beskar7.kube.controller import Result

log = logging.getLogger(__name__)

WAIT_FOR_HOST = 60.0
"""Seconds until a machine without a host looks again by itself; a host that becomes free wakes it
at once, so this is only the net below (facts section 3)."""
SERVED_SOON = 2.0
"""Seconds that a claim may be with the coordinator before its machine says that it waits."""


class HostLost(Exception):
    """The machine was on a host once, and no host belongs to it any more."""


class MachineReconciler:
    """One machine a call; many calls at once, never two for one machine."""

    def __init__(
        self,
        env: Environment,
        claims: Claims,
        handover: Handover,
        pool: HostPool,
        waiting: WaitingMachines,
        under_way: ClaimsUnderWay,
        machine: Callable[[ObjectKey], Beskar7Machine | None],
        cluster: Callable[[Beskar7Machine], View | None],
        *,
        require_owner: bool,
    ) -> None:
        """``machine`` and ``cluster`` (the machine's owner Cluster) read a cache."""
        self._env = env
        self._claims = claims
        self._handover = handover
        self._pool = pool
        self._waiting = waiting
        self._under_way = under_way
        self._machine = machine
        self._cluster = cluster
        self._require_owner = require_owner

    def reconcile(self, key: ObjectKey) -> Result:
        cached = self._machine(key)
        self._claims.release_orphans(key, "" if cached is None else cached.uid)
        if cached is None:
            self._forget(key)
            return Result()
        machine = self._env.copy(cached)
        if machine.paused or cluster_paused(self._cluster(machine)):
            self._under_way.end(key)
            return Result()
        if machine.deleting:
            return self._delete(machine)
        if self._hand_over_first(machine):
            return Result(requeue_after=SERVED_SOON)
        new = machine.add_finalizer(MACHINE_FINALIZER)
        if new:
            # Before a claim of our own: a machine that goes must be able to give its host back.
            machine = self._update(machine)
        before = copy_json(machine.status)
        result = self._follow(machine, new)
        self._write_status(machine, before)
        return result

    def _hand_over_first(self, machine: Beskar7Machine) -> bool:
        """Hand the claim of a new machine over before all else: True when that was done just now.

        The finalizer is written while others look for a host. If the machine goes before, its
        host is released as that of an owner that is gone.
        """
        if (
            not self._handover.led
            or machine.has_finalizer(MACHINE_FINALIZER)
            or machine.provider_id
            or self._problem(machine) is not None
            or self._waits_for_owner(machine)
            or self._handover.find(machine.key) is not None
            or self._claims.known(machine) is not None
        ):
            return False
        self._under_way.begin(machine.key, machine.uid)
        self._handover.open(machine)
        return True

    def _problem(self, machine: Beskar7Machine) -> tuple[str, str] | None:
        return machine.boot_problem or machine.provider_id_problem

    def _waits_for_owner(self, machine: Beskar7Machine) -> bool:
        return self._require_owner and not machine.has_owner_machine

    def _follow(self, machine: Beskar7Machine, new: bool) -> Result:
        problem = self._problem(machine)
        if problem is not None:
            self._fail(machine, *problem)
            return Result()
        if self._waits_for_owner(machine):
            self._wait_for_owner(machine)
            return Result()
        try:
            host = self._own_host(machine, new)
        except HostLost as error:
            self._fail(machine, "PhysicalHostLost", str(error))
            return Result()
        for field in ("failureReason", "failureMessage"):
            machine.status.pop(field, None)
        if host is None:
            return self._wait_for_host(machine)
        self.settled(machine.key, machine.uid)
        self._claims.release_others(machine, host)
        machine.status["hostRef"] = reference(PHYSICAL_HOST, host)
        self._env.condition(machine, conditions.PHYSICAL_HOST_ASSOCIATED, True)
        self._mirror(machine, host)
        return Result()

    def _own_host(self, machine: Beskar7Machine, new: bool) -> PhysicalHost | None:
        """The host that this machine owns, claimed now if it had none; None if it has to wait.

        ``new``: it had no finalizer until now, so nobody can have claimed a host for it, and the
        server need not be asked.
        """
        known = self._claims.known(machine)
        if known is not None:
            return known
        handed_over = self._handover.find(machine.key)
        if handed_over is None and not new:
            owned = kept(machine, self._claims.owned(machine))
            if owned is not None:
                return owned
        if machine.provider_id and handed_over is None:
            # A node runs, or ran, under this ID: another host would be another machine (U8).
            raise HostLost(f"providerID is {machine.provider_id}, and no host names this machine")
        self._under_way.begin(machine.key, machine.uid)
        if handed_over is None and not self._handover.enabled:
            return self._claims.claim(machine)
        return self._handover.follow(machine, handed_over or self._handover.open(machine))

    def settled(self, machine: ObjectKey, uid: str) -> None:
        """The machine of this uid has a host: nothing has to be remembered of its claim."""
        self._waiting.discard(machine)
        self._handover.forget(machine)
        self._claims.settled(machine)
        took = self._under_way.end(machine, uid)
        if took is not None:
            now = self._env.runtime.wall()
            self._env.metrics.claim_duration.labels(machine.namespace, "success").observe(took)
            self._env.tracer.span("claim", uid, now - took, now, {"machine": machine})

    def _wait_for_owner(self, machine: Beskar7Machine) -> None:
        self._under_way.end(machine.key)
        log.info("machine %s waits for its owner Machine", machine.key)
        machine.status.update(phase="Pending", ready=False)
        self._env.condition(
            machine,
            conditions.INFRASTRUCTURE_READY,
            False,
            "WaitingForOwnerMachine",
            "No Machine is the owner yet",
            "Info",
        )

    def _wait_for_host(self, machine: Beskar7Machine) -> Result:
        look_again = self._handover.look_again(machine)
        since = self._under_way.seconds(machine.key)
        if look_again is not None and not machine.phase and since < SERVED_SOON:
            # A claim that the coordinator has just got is about to be served: not worth a write.
            return Result(requeue_after=min(look_again, SERVED_SOON))
        wish = Requirements.of(machine)
        hopeless = self._pool.hopeless(machine.namespace, wish)
        reason = "NoMatchingHost" if hopeless else "WaitingForPhysicalHost"
        message = hopeless or "No PhysicalHost is available"
        machine.status["phase"] = "Pending"
        machine.status["ready"] = False
        machine.status.pop("hostRef", None)
        for condition in (conditions.PHYSICAL_HOST_ASSOCIATED, conditions.INFRASTRUCTURE_READY):
            severity: conditions.Severity = "Warning" if hopeless else "Info"
            self._env.condition(machine, condition, False, reason, message, severity)
        if look_again is not None:
            return Result(requeue_after=look_again)
        self._under_way.waits(machine.key)
        self._waiting.add(Waiting(machine.key, wish, machine.created))
        return Result(requeue_after=WAIT_FOR_HOST)

    def _mirror(self, machine: Beskar7Machine, host: PhysicalHost) -> None:
        """What the host's state means for its machine."""
        if host.state == HostState.PROVISIONED:
            self._ready(machine, host)
            return
        machine.status["ready"] = False
        if host.state == HostState.ERROR:
            # Not terminal: the host controller goes on trying, and the machine follows.
            machine.status["phase"] = "Provisioning"
            self._env.condition(
                machine,
                conditions.INFRASTRUCTURE_READY,
                False,
                "PhysicalHostError",
                f"Host {host.name}: {host.status.get('errorMessage', '')}",
                "Error",
            )
            return
        provisioning = host.state == HostState.PROVISIONING
        machine.status["phase"] = "Provisioning" if provisioning else "Associating"
        # What the host controller is about to say; two words for one thing would be two writes.
        state = HostState.CLAIMED if host.state == HostState.AVAILABLE else host.state
        self._env.condition(
            machine,
            conditions.INFRASTRUCTURE_READY,
            False,
            "PhysicalHostNotReady",
            f"Host {host.name} is {state or 'not enrolled'}"
            + (f": {trouble}" if (trouble := host.status.get("errorMessage")) else ""),
            "Warning" if trouble else "Info",
        )

    def _ready(self, machine: Beskar7Machine, host: PhysicalHost) -> None:
        if machine.phase != "Provisioned":
            log.info("machine %s is provisioned on host %s", machine.key, host.key)
            self._env.recorder.event(
                machine.raw, "Normal", "Provisioned", f"Host {host.name} runs {machine.image}"
            )
            now = self._env.runtime.wall()
            took = max(0.0, now - machine.created)
            self._env.metrics.controllers.provisioning_duration.labels(machine.namespace).observe(
                took
            )
            about = {"machine": machine.key, "host": host.key}
            self._env.tracer.span("machine", machine.uid, now - took, now, about)
        provider_id = host.provider_id
        if machine.spec.get("providerID") != provider_id:
            status = machine.status
            machine.spec["providerID"] = provider_id
            updated = self._update(machine)
            machine.raw = updated.raw
            machine.raw["status"] = status
        machine.status.update(phase="Provisioned", ready=True)
        machine.status["addresses"] = host.status.get("addresses") or []
        self._env.condition(machine, conditions.INFRASTRUCTURE_READY, True)

    def _delete(self, machine: Beskar7Machine) -> Result:
        """Release first, then let go: cleaning the host does not need its machine.

        A claim may have been on its way when our finalizer went, or before it was there, and
        somebody else's finalizer may keep the machine for long.
        """
        ours = machine.has_finalizer(MACHINE_FINALIZER)
        claimed = self._handover.find(machine.key) or self._claims.known(machine)
        if ours or claimed is not None:
            self._handover.withdraw(machine)
            self._claims.release(machine)
        if ours:
            machine.remove_finalizer(MACHINE_FINALIZER)
            self._env.kube.update(BESKAR7_MACHINE, machine.raw)
        self._forget(machine.key)
        return Result()

    def _forget(self, key: ObjectKey) -> None:
        """A woken machine that goes away passes its turn on."""
        self._under_way.end(key)
        self._claims.forget(key)
        self._handover.forget(key)
        if self._waiting.discard(key):
            self._waiting.wake(key.namespace)

    def _fail(self, machine: Beskar7Machine, reason: str, message: str) -> None:
        self._under_way.end(machine.key)
        if machine.status.get("failureReason") != reason:
            self._env.recorder.event(machine.raw, "Warning", reason, message)
        machine.status.update(
            phase="Failed", ready=False, failureReason=reason, failureMessage=message
        )
        self._env.condition(
            machine, conditions.INFRASTRUCTURE_READY, False, reason, message, "Error"
        )

    def _update(self, machine: Beskar7Machine) -> Beskar7Machine:
        updated = self._env.kube.update(BESKAR7_MACHINE, machine.raw)
        return self._env.copy(Beskar7Machine(updated))

    def _write_status(self, machine: Beskar7Machine, before: dict[str, object]) -> None:
        conditions.summarize(machine.status, conditions.INFRASTRUCTURE_READY)
        if machine.status != before:
            self._env.kube.update_status(BESKAR7_MACHINE, machine.raw)
