"""Reconciles PhysicalHosts: enrol, follow the owner's wish, clean up, heal.

A reconcile never talks to a BMC. It decides one step from the host's state, writes the status,
and only then hands an operation to the provisioning queue; the operation's outcome comes back as
the next reconcile. So a dead BMC holds a worker of the queue at most, and after a crash the state
in the API says what has to be done again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from beskar7.api.errors import NotFound
from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from beskar7.api.meta import ObjectKey, rfc3339
from beskar7.api.objects import copy_json
from beskar7.api.resources import (
    HOST_FINALIZER,
    RETRY_ANNOTATION,
    Beskar7Machine,
    PhysicalHost,
)
from beskar7.api.states import HostState
from beskar7.controllers.bmc_requests import BmcRequests, Outcome
from beskar7.controllers.claims import RELEASE_RETRY
from beskar7.controllers.environment import Environment
from beskar7.controllers.lifecycle import HostLifecycle
from beskar7.controllers.steps import Step
from beskar7.coordination.operations import OperationKind, QueueFullError
from beskar7.kube.controller import Result, TemporaryError

log = logging.getLogger(__name__)

QUEUE_FULL_DELAY = 5.0
"""Seconds until rejected work comes back; the documented retry of a contended claim (U20)."""

OWNER_GOES_DELAY = 5.0
"""Seconds until a host is looked at again that its machine will have given back by then."""


class HostReconciler:
    """One host a call; many calls at once, never two for one host."""

    def __init__(
        self,
        env: Environment,
        requests: BmcRequests,
        host: Callable[[ObjectKey], PhysicalHost | None],
        machine: Callable[[ObjectKey], Beskar7Machine | None],
        *,
        stuck_timeout: float,
    ) -> None:
        """``host`` and ``machine`` read a cache; ``stuck_timeout`` in seconds."""
        self._env = env
        self._requests = requests
        self._host = host
        self._machine = machine
        self._lifecycle = HostLifecycle(env, requests, stuck_timeout)
        self._confirmed: dict[ObjectKey, str] = {}
        """The resourceVersion at which the server has shown each host in this term."""

    def reconcile(self, key: ObjectKey) -> Result:
        cached = self._host(key)
        if cached is None:
            self._forget(key)
            return Result()
        host = self._env.copy(cached)
        if host.paused:
            return Result()
        if not host.deleting and host.add_finalizer(HOST_FINALIZER):
            updated = self._env.kube.update(PHYSICAL_HOST, host.raw)
            host = self._env.copy(PhysicalHost(updated))
        if self._orphaned(host):
            return self._release_orphan(host)
        outcome = self._requests.outcome(key)
        retried = host.retry_asked and not self._retrying(host, outcome)
        before = copy_json(host.status)
        step = self._lifecycle.next_step(host, outcome)
        self._write_status(host, before)
        if step.operation is not None and step.operation.writes:
            self._confirm(host)
        if retried:
            del host.annotations[RETRY_ANNOTATION]
            host.raw = copy_json(self._env.kube.update(PHYSICAL_HOST, host.raw))
        if outcome is not None:
            self._requests.settled(key, outcome)
        if step.let_go:
            host.remove_finalizer(HOST_FINALIZER)
            self._env.kube.update(PHYSICAL_HOST, host.raw)
            self._forget(key)
            return Result()
        return self._carry_out(host, step)

    def credentials_changed(self, key: ObjectKey) -> None:
        """Whatever failed may work now: no need to wait for the backoff."""
        self._lifecycle.retry_now(key)
        host = self._host(key)
        if host is not None:
            self._requests.trust(host)

    def _carry_out(self, host: PhysicalHost, step: Step) -> Result:
        later = Result(requeue_after=step.look_again)
        if step.operation is None:
            return later
        if step.operation.writes:
            self._check_owner(host)
        try:
            self._requests.submit(
                host, step.operation, delay=step.delay, attempt=step.attempt, resumed=step.resumed
            )
        except QueueFullError as error:
            self._env.metrics.queue_rejections.labels(host.namespace).inc()
            self._env.recorder.event(
                host.raw,
                "Warning",
                "QueueFull",
                f"Provisioning queue is full ({error}); trying again in {QUEUE_FULL_DELAY:g}s",
            )
            return Result(requeue_after=QUEUE_FULL_DELAY)
        if step.operation.writes:
            # Whoever released the host meanwhile did not find the operation in the queue yet.
            self._check_owner(host)
        return later

    def _retrying(self, host: PhysicalHost, outcome: Outcome | None) -> bool:
        """Try at once, as somebody asks for it; False when the BMC was asked or cannot be.

        The mark stays until then, and goes after the status says how it went: so a manager that
        takes over tries, too, and a host in Error without the mark has failed again.
        """
        tried = outcome is not None and outcome.kind is OperationKind.INSPECT
        possible = host.state is HostState.ERROR and not self._requests.credentials_problem(host)
        if tried or not possible:
            return False
        self._lifecycle.retry_now(host.key)
        self._requests.trust(host)
        return True

    def _check_owner(self, host: PhysicalHost) -> None:
        """Let nothing begin in an owner's name whose release of the host may be on its way.

        Raises:
            TemporaryError: it may be; what was asked for is taken back.
        """
        if self._owner_goes(host):
            self._requests.revoke(host.key)
            raise TemporaryError(f"host {host.key}: its machine goes", OWNER_GOES_DELAY)

    def _owner_goes(self, host: PhysicalHost) -> bool:
        """Whether its machine goes, or has another host, by the cache that a release goes by."""
        key = _machine_of(host)
        machine = None if key is None else self._machine(key)
        if machine is None or machine.uid != host.consumer_uid:
            return False
        return machine.deleting or machine.host_name not in ("", host.name)

    def _orphaned(self, host: PhysicalHost) -> bool:
        """Whether its owner is gone without having released it, by the API server's word."""
        key = _machine_of(host)
        if key is None:
            return False
        known = self._machine(key)
        if known is not None and host.consumer_uid in ("", known.uid):
            return False
        try:
            found = Beskar7Machine(self._env.look(BESKAR7_MACHINE, key))
        except NotFound:
            return True
        return host.consumer_uid not in ("", found.uid)

    def _release_orphan(self, host: PhysicalHost) -> Result:
        if not self._requests.revoke(host.key):
            return Result(requeue_after=RELEASE_RETRY)
        owner = host.consumer_key
        host.release(rfc3339(self._env.runtime.wall()))
        self._env.kube.update(PHYSICAL_HOST, host.raw)
        log.warning("released host %s: its machine %s is gone", host.key, owner)
        self._env.recorder.event(
            host.raw, "Warning", "Released", f"Machine {owner} is gone and never released it"
        )
        return Result()

    def _write_status(self, host: PhysicalHost, before: dict[str, object]) -> None:
        if host.status != before:
            updated = self._env.kube.update_status(PHYSICAL_HOST, host.raw)
            host.raw = copy_json(updated)
            self._confirmed[host.key] = host.resource_version

    def _confirm(self, host: PhysicalHost) -> None:
        """Before a BMC is written to, the server has to say that the host is as the cache has it.

        A manager that begins to lead may have got an old list, and would switch off what was given
        to another owner since. An accepted status says so, too; once for a version is enough.

        Raises:
            TemporaryError: the server has another version.
        """
        if self._confirmed.get(host.key) == host.resource_version:
            return
        found = PhysicalHost(self._env.look(PHYSICAL_HOST, host.key))
        if found.resource_version != host.resource_version:
            raise TemporaryError(f"host {host.key}: the server has another version")
        self._confirmed[host.key] = host.resource_version

    def _forget(self, key: ObjectKey) -> None:
        self._lifecycle.forget(key)
        self._requests.forget(key)
        self._confirmed.pop(key, None)


def _machine_of(host: PhysicalHost) -> ObjectKey | None:
    """The machine that owns the host, if a machine does."""
    key = host.consumer_key
    if key is None or (host.consumer or {}).get("kind") != BESKAR7_MACHINE.kind:
        return None
    return ObjectKey(key.namespace or host.namespace, key.name)
