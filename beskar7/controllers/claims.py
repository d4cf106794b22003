"""How a machine gets a host, and lets go of it.

Ownership is ``PhysicalHost.spec.consumerRef``, and one conditional update on it decides: whoever
writes it against the newest resourceVersion has the host. Everything else here (ranking, cached
candidates) only makes it likely that the first try succeeds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from beskar7.api.errors import BadRequest, Conflict, Forbidden, Invalid, NotFound, TooLarge
from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from beskar7.api.meta import ObjectKey, rfc3339
from beskar7.api.resources import CONSUMER_LABEL, Beskar7Machine, PhysicalHost
from beskar7.controllers.environment import Environment
from beskar7.coordination.hostpool import HostPool
from beskar7.coordination.requirements import Requirements
from beskar7.coordination.selection import WINDOW, claimable
from beskar7.kube.backoff import Exponential
from beskar7.kube.controller import TemporaryError
from beskar7.kube.objects import version_number

log = logging.getLogger(__name__)

FIRST_BACKOFF = 0.1
"""Seconds after the first contended claim: as long as a cache needs to catch up."""
JITTER = 0.5
"""Rivals that met once are to part: each waits 50 to 100 % of its backoff."""
REFUSALS = (BadRequest, Forbidden, Invalid, TooLarge)
"""Answers by which a claim is not carried out, now or later, and would not be if it came again."""
OLD_LIST_RETRY = 1.0
"""Seconds; a server that is behind has to catch up first."""
RELEASE_RETRY = 0.1
"""Seconds; of the order of one BMC request."""


class Contended(TemporaryError):
    """Every candidate that was tried went to somebody else; try again after ``delay``."""


class Claims:
    """Claims and releases in the name of one manager."""

    def __init__(
        self,
        env: Environment,
        pool: HostPool,
        named: Callable[[ObjectKey], Sequence[PhysicalHost]],
        revoke: Callable[[ObjectKey], bool],
        newest: Callable[[], int],
    ) -> None:
        """``named`` reads from a cache the hosts whose consumerRef has a machine's name.

        ``revoke`` stops BMC writes to a host; False while one is under way. ``newest``: the
        highest resourceVersion that the server is known to have reached.
        """
        self._env = env
        self._pool = pool
        self._named = named
        self._revoke = revoke
        self._newest = newest
        self._failures: dict[ObjectKey, int] = {}
        self._lock = env.runtime.lock()
        self._tried: set[ObjectKey] = set()
        """Hosts that a worker of this process tries to claim at this moment."""
        self._in_doubt: dict[ObjectKey, tuple[str, PhysicalHost]] = {}
        """By machine: its uid and the host, at the version at which it was asked for, of a claim
        that had no verdict yet."""

    def known(self, machine: Beskar7Machine) -> PhysicalHost | None:
        """A host that this machine owns by what the cache says; None proves nothing."""
        return kept(machine, self._held(machine))

    def _held(self, machine: Beskar7Machine) -> list[PhysicalHost]:
        return [host for host in self._named(machine.key) if host.consumer_uid == machine.uid]

    def owned(self, machine: Beskar7Machine) -> list[PhysicalHost]:
        """The hosts whose consumerRef names this machine, as the API server has them.

        From the server, not from a cache: a manager that takes over must find what its
        predecessor claimed a moment ago. The label is written with the consumerRef, in one update.

        Raises:
            TemporaryError: the answer is older than what the server has told already (one version
                counts for all kinds), so what it lacks may be there.
        """
        found = self._env.kube.list(
            PHYSICAL_HOST, machine.namespace, label_selector=f"{CONSUMER_LABEL}={machine.uid}"
        )
        seen = version_number(found.resource_version)
        known = max(self._newest(), version_number(machine.resource_version) or -1)
        if seen is not None and seen < known:
            raise TemporaryError(f"{machine.key}: an old list of its hosts", OLD_LIST_RETRY)
        hosts = [PhysicalHost(item) for item in found.items]
        return [host for host in hosts if host.consumer_uid == machine.uid]

    def claim(self, machine: Beskar7Machine) -> PhysicalHost | None:
        """The host that ``machine`` now owns; None when no host is free.

        A claim without a verdict may yet be carried out, and another host would be a second one.
        So the same host is asked for at the same version, until the server has succeeded in it, or
        has told that it cannot any more.

        Raises:
            Contended: the tries of ``hostSelection.retryLimit`` all met a conflict, or others
                of this process try the hosts that are left.
        """
        wish = Requirements.of(machine)
        uid, doubtful = self._in_doubt.get(machine.key, ("", None))
        if doubtful is not None and uid == machine.uid and wish.met(doubtful):
            with self._trying(doubtful.key) as admitted:
                if not admitted:
                    raise Contended(f"{machine.key}: {doubtful.key} is being tried", FIRST_BACKOFF)
                claimed = self._try(machine, doubtful)
            if claimed is not None:
                return claimed
        tuning = self._env.tuning()
        started = self._env.runtime.now()
        ranked = self._pool.choose(tuning.selection_algorithm, machine.key, wish, limit=WINDOW)
        self._env.metrics.selection_duration.labels(
            machine.namespace, tuning.selection_algorithm
        ).observe(self._env.runtime.now() - started)
        if not ranked:
            self._count(machine, "no_hosts", "none")
            return None
        tries = 0
        for host in ranked:
            if tries == tuning.claim_retry_limit:
                break
            with self._trying(host.key) as admitted:
                # The ranking is as old as the tries before this one: look again.
                current = self._pool.get(host.key, wish)
                if admitted and current is not None:
                    tries += 1
                    claimed = self._try(machine, current)
                    if claimed is not None:
                        return claimed
        self._env.metrics.claim_retries.labels(machine.namespace).inc()
        raise Contended(
            f"{machine.key}: {tries} conflicts on {len(ranked)} candidates",
            # Who could not even try has not met anybody: his turn comes when the others are done.
            delay=self._backoff(machine) if tries else FIRST_BACKOFF,
        )

    def settled(self, machine: ObjectKey) -> None:
        """The machine has a host."""
        self._in_doubt.pop(machine, None)

    def forget(self, machine: ObjectKey) -> None:
        """The machine is gone, and with it what its claims went through."""
        self.settled(machine)
        self._failures.pop(machine, None)
        self._env.runtime.forget_rng(_stream(machine))

    def _backoff(self, machine: Beskar7Machine) -> float:
        """Seconds; grows by ``backoffMultiplier`` up to ``maxBackoffDelay``."""
        tuning = self._env.tuning()
        policy = Exponential(
            FIRST_BACKOFF, tuning.max_backoff_delay, tuning.backoff_multiplier, JITTER
        )
        failures = self._failures.get(machine.key, 0)
        self._failures[machine.key] = failures + 1
        return policy.delay(failures, self._env.runtime.rng(_stream(machine.key)))

    @contextmanager
    def _trying(self, host: ObjectKey) -> Iterator[bool]:
        """Gives False when another worker of this process tries the host already: whoever joined in
        would meet a conflict, or find the host gone."""
        with self._lock:
            admitted = host not in self._tried
            self._tried.add(host)
        try:
            yield admitted
        finally:
            if admitted:
                with self._lock:
                    self._tried.discard(host)

    def _try(self, machine: Beskar7Machine, known: PhysicalHost) -> PhysicalHost | None:
        """Claim the host at the version at which it is known; None when that is past."""
        host = self._env.copy(known)
        log.info("selecting host %s for machine %s", host.key, machine.key)
        host.claim(machine, rfc3339(self._env.runtime.wall()))
        self._in_doubt[machine.key] = machine.uid, known
        try:
            claimed = PhysicalHost(self._env.kube.update(PHYSICAL_HOST, host.raw))
        except (Conflict, NotFound) as error:
            found = self._look_again(machine, host, error)
            if found is None:
                self._in_doubt.pop(machine.key, None)
                return None
            claimed = found
        except REFUSALS:
            self._in_doubt.pop(machine.key, None)
            raise
        self._in_doubt.pop(machine.key, None)
        self._failures.pop(machine.key, None)
        self._count(machine, "success", "none")
        self._env.recorder.event(
            claimed.raw, "Normal", "Claimed", f"Claimed by machine {machine.key}"
        )
        self._env.recorder.event(machine.raw, "Normal", "Claimed", f"Claimed host {host.name}")
        log.info("claimed host %s for machine %s", host.key, machine.key)
        return claimed

    def _look_again(
        self, machine: Beskar7Machine, host: PhysicalHost, error: Exception
    ) -> PhysicalHost | None:
        """The host if it is this machine's after all, by the server's word; else None.

        Whatever repeats a request on its way gets a conflict with what the first one wrote, and
        passes that on: to try the next host then would be to own two. What was read is observed,
        so that the host is not tried again on stale knowledge.
        """
        reason = "already_claimed"
        try:
            fresh = PhysicalHost(self._env.look(PHYSICAL_HOST, host.key))
            if fresh.consumer_uid == machine.uid:
                return self._env.copy(fresh)
            if claimable(fresh):
                reason = "optimistic_lock"
            elif fresh.consumer is None:
                reason = "invalid_state"
        except NotFound:
            reason = "invalid_state"
        self._lost(machine, host, reason, error)
        return None

    def _lost(
        self, machine: Beskar7Machine, host: PhysicalHost, reason: str, error: Exception
    ) -> None:
        self._count(machine, "conflict", reason)
        log.info(
            "optimistic lock conflict (resource version conflict) on host %s for machine %s: %s",
            host.key,
            machine.key,
            error,
        )
        self._env.recorder.event(
            machine.raw, "Warning", "ClaimConflict", f"Host {host.name} was taken: {reason}"
        )

    def release(self, machine: Beskar7Machine) -> list[ObjectKey]:
        """Clear the consumerRef of all hosts that this machine owns; what was released.

        Raises:
            TemporaryError: a BMC write in this machine's name is under way. Once the consumerRef
                is cleared nobody may act for this owner, so it has to end first.
        """
        released = self.owned(machine)
        for host in released:
            self._let_go(host, f"machine {machine.key}")
        return [host.key for host in released]

    def release_others(self, machine: Beskar7Machine, host: PhysicalHost) -> None:
        """Release what this machine owns beside ``host``, which its status names already.

        A claim of a manager that is dead may be carried out after another one has looked for the
        machine's hosts, and has claimed a second one. What the status names is decided by
        one conditional write, so that two managers do not each let go of the other's.

        Raises:
            TemporaryError: a BMC write in this machine's name is under way.
        """
        if machine.host_name != host.name:
            return
        for other in self._held(machine):
            if other.key != host.key:
                self._let_go(self._env.copy(other), f"machine {machine.key}, which has {host.name}")

    def release_orphans(self, machine: ObjectKey, uid: str) -> None:
        """Release hosts whose owner had this name but is gone; ``uid`` of who bears it now, or "".

        A machine's finalizer keeps it until its host is free, but a write on its behalf may have
        been on its way for longer than the machine lived.
        """
        for host in self._named(machine):
            owner = host.consumer or {}
            if owner.get("kind") != BESKAR7_MACHINE.kind or host.consumer_uid in ("", uid):
                continue
            try:
                bearer = self._env.look(BESKAR7_MACHINE, machine)
                if bearer["metadata"]["uid"] == host.consumer_uid:
                    continue
            except NotFound:
                pass
            self._let_go(self._env.copy(host), f"machine {machine}, which is gone")

    def _let_go(self, host: PhysicalHost, owner: str) -> None:
        if not self._revoke(host.key):
            raise TemporaryError(f"host {host.key}: a BMC write is under way", RELEASE_RETRY)
        host.release(rfc3339(self._env.runtime.wall()))
        try:
            self._env.kube.update(PHYSICAL_HOST, host.raw)
        except Conflict:
            self._env.look_again(PHYSICAL_HOST, host.key)
            raise
        self._env.recorder.event(host.raw, "Normal", "Released", f"Released by {owner}")
        log.info("released host %s of %s", host.key, owner)

    def _count(self, machine: Beskar7Machine, outcome: str, reason: str) -> None:
        self._env.metrics.claim_attempts.labels(machine.namespace, outcome, reason).inc()


def kept(machine: Beskar7Machine, hosts: Iterable[PhysicalHost]) -> PhysicalHost | None:
    """Of several hosts the one that the machine's status names, or the first by name."""
    named = sorted(hosts, key=lambda host: (host.name != machine.host_name, host.name))
    return named[0] if named else None


def _stream(machine: ObjectKey) -> str:
    return f"claim-backoff/{machine}"
