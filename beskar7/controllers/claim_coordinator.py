"""The claim leader's work: serve all HostClaims that wait, in batches, without conflicts.

One task assigns distinct hosts, in memory, to all claims that wait, the best first; workers make
the writes, several claims at once. What the API says decides; the memory only keeps the claims of
one batch apart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from beskar7.api.errors import ApiError, Conflict, NotFound
from beskar7.api.hostclaims import ClaimPhase, HostClaim
from beskar7.api.kinds import HOST_CLAIM
from beskar7.api.meta import ObjectKey
from beskar7.api.objects import Object
from beskar7.api.resources import PhysicalHost
from beskar7.controllers.claim_protocol import ClaimProtocol, waiting
from beskar7.controllers.environment import Environment
from beskar7.coordination.claimqueue import Waiting
from beskar7.coordination.hostpool import HostPool
from beskar7.kube.backoff import Exponential
from beskar7.kube.controller import TemporaryError
from beskar7.runtime import Deadline, Queue, Task
from beskar7.tracing import about

log = logging.getLogger(__name__)

RETRY = Exponential(base=0.1, maximum=10.0)
"""Seconds until a claim whose writes failed is looked at again."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker does for a claim: settle it; or, with a host, assign and take that;
    or, with a phase, only say why it waits."""

    claim: HostClaim
    host: PhysicalHost | None = None
    phase: ClaimPhase | None = None
    message: str = ""


class ClaimCoordinator:
    """For one term of claim leadership. Told of every change of claims and hosts."""

    def __init__(
        self,
        env: Environment,
        protocol: ClaimProtocol,
        pool: HostPool,
        claim: Callable[[ObjectKey], HostClaim | None],
        host: Callable[[ObjectKey], PhysicalHost | None],
        workers: int,
    ) -> None:
        """``claim`` and ``host`` read the term's caches."""
        self._env = env
        self._protocol = protocol
        self._pool = pool
        self._claim = claim
        self._host = host
        self._workers = workers
        self._changed = env.runtime.condition()
        # Under the condition.
        self._open: dict[ObjectKey, None] = {}
        self._busy: dict[ObjectKey, None] = {}
        self._failures: dict[ObjectKey, int] = {}
        self._not_before: dict[ObjectKey, float] = {}
        self._news = False
        self._stopping = False
        self._jobs: Queue[Job | None] = env.runtime.queue()
        self._tasks: list[Task] = []
        self._namespaces: dict[str, None] = {}

    # --- news ---------------------------------------------------------------------------------

    def claim_changed(self, old: Object | None, new: Object | None) -> None:
        """To be called with every change in the cache of HostClaims."""
        view = HostClaim(new or old or {})
        with self._changed:
            self._look_at(view.key)
            self._wake()

    def host_freed(self) -> None:
        """To be called when a host has become free."""
        with self._changed:
            self._wake()

    def _look_at(self, key: ObjectKey) -> None:
        """Whether the claim is to be served, by the cache. Under the condition."""
        claim = self._claim(key)
        if claim is not None and not claim.deleting and (claim.open or self._unsettled(claim)):
            self._open[key] = None
        else:
            self._open.pop(key, None)
            self._failures.pop(key, None)
            self._not_before.pop(key, None)
            self._env.runtime.forget_rng(_stream(key))

    def _unsettled(self, claim: HostClaim) -> bool:
        """Assigned, and its host is not known to be taken: its assigner may be gone."""
        if claim.phase is not ClaimPhase.ASSIGNED:
            return False
        host = self._host(claim.host_key)
        return host is None or host.consumer_uid != claim.machine_uid

    def _wake(self) -> None:
        self._news = True
        self._changed.notify_all()

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        runtime = self._env.runtime
        self._tasks = [runtime.spawn(self._assign, name="claims-assign")]
        for number in range(self._workers):
            self._tasks.append(runtime.spawn(self._work, name=f"claims-{number}"))

    def stop(self, timeout: float) -> bool:
        """Begin nothing more; False when writes were still under way after ``timeout`` seconds."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for _ in range(self._workers):
            self._jobs.put(None)
        deadline = Deadline(self._env.runtime, timeout)
        ended = all(task.join(deadline.remaining()) for task in self._tasks)
        with self._changed:
            # Of claims that go from now on, nobody tells this term.
            for key in {**self._open, **self._busy}:
                self._env.runtime.forget_rng(_stream(key))
        for namespace in self._namespaces:
            self._env.metrics.coordinator_queue.labels(namespace).set(0)
        return ended

    # --- one task: who gets what --------------------------------------------------------------

    def _assign(self) -> None:
        while True:
            with self._changed:
                while not (self._news or self._stopping):
                    self._changed.wait(self._next_retry())
                    self._news = self._news or self._next_retry() == 0.0
                if self._stopping:
                    return
                self._news = False
                jobs = self._batch()
                self._busy.update(dict.fromkeys(job.claim.key for job in jobs))
                self._report()
            for job in jobs:
                self._jobs.put(job)

    def _next_retry(self) -> float | None:
        """Seconds until the first of those that are to rest may be tried; None: nobody rests."""
        if not self._not_before:
            return None
        return max(0.0, min(self._not_before.values()) - self._env.runtime.now())

    def _batch(self) -> list[Job]:
        """Jobs for all that can be done now. Hosts in them are held for their claims."""
        now, wall = self._env.runtime.now(), self._env.runtime.wall()
        self._not_before = {key: at for key, at in self._not_before.items() if at > now}
        jobs: list[Job] = []
        open_claims: list[tuple[Waiting, HostClaim]] = []
        for key in list(self._open):
            claim = self._claim(key)
            if claim is None or key in self._busy or key in self._not_before:
                continue
            if claim.open:
                open_claims.append((waiting(claim), claim))
            elif self._unsettled(claim):
                jobs.append(Job(claim))
        open_claims.sort(key=lambda item: item[0].order(wall))
        for position, (wish, claim) in enumerate(open_claims):
            job = self._serve(wish, claim) or self._explain(wish, claim, position)
            if job is not None:
                jobs.append(job)
        return jobs

    def _serve(self, wish: Waiting, claim: HostClaim) -> Job | None:
        algorithm = self._env.tuning().selection_algorithm
        started = self._env.runtime.now()
        host = self._pool.take(algorithm, claim.key, wish.requirements)
        self._env.metrics.selection_duration.labels(claim.namespace, algorithm).observe(
            self._env.runtime.now() - started
        )
        return None if host is None else Job(claim, host=host)

    def _explain(self, wish: Waiting, claim: HostClaim, ahead: int) -> Job | None:
        """Tell why it waits: once, and when that changes between never and not yet."""
        why = self._pool.hopeless(claim.namespace, wish.requirements)
        if why and (claim.phase is not ClaimPhase.UNFULFILLABLE or claim.message != why):
            return Job(claim, phase=ClaimPhase.UNFULFILLABLE, message=why)
        if not why and (claim.phase is not ClaimPhase.PENDING or not claim.told):
            message = f"no host that fits is free; {ahead} claims were ahead"
            return Job(claim, phase=ClaimPhase.PENDING, message=message)
        return None

    def _report(self) -> None:
        counts = dict.fromkeys(self._namespaces, 0)
        for key in self._open:
            counts[key.namespace] = counts.get(key.namespace, 0) + 1
        self._namespaces = dict.fromkeys(counts)
        for namespace, count in counts.items():
            self._env.metrics.coordinator_queue.labels(namespace).set(count)

    # --- the workers: the writes --------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            with self._changed:
                stopping = self._stopping
            with about(machine=job.claim.key, claim=job.claim.machine_uid):
                failed = not stopping and not self._carry_out(job)
            if job.host is not None:
                self._pool.let_go(job.host.key)
            with self._changed:
                key = job.claim.key
                self._busy.pop(key, None)
                if failed and not self._stopping:
                    failures = self._failures[key] = self._failures.get(key, 0) + 1
                    rng = self._env.runtime.rng(_stream(key))
                    delay = RETRY.delay(failures - 1, rng)
                    self._not_before[key] = self._env.runtime.now() + delay
                else:
                    self._failures.pop(key, None)
                self._look_at(key)
                self._wake()

    def _carry_out(self, job: Job) -> bool:
        """False when the claim is to rest before it is tried again."""
        claim, started = job.claim, self._env.runtime.now()
        try:
            if job.phase is not None:
                self._protocol.tell(claim, job.phase, job.message)
                return True
            host = self._protocol.settle(claim) if job.host is None else self._give(job, job.host)
        except (Conflict, NotFound) as error:
            log.debug("claim %s has changed: %s", claim.key, error)
            return self._refresh(claim)
        except (ApiError, TemporaryError) as error:
            log.warning("claim %s: %s", claim.key, error)
            self._env.metrics.claim_results.labels(claim.namespace, "error").inc()
            return False
        metrics, namespace = self._env.metrics, claim.namespace
        metrics.claim_results.labels(namespace, "success" if host else "retry").inc()
        metrics.claim_processing.labels(namespace, "success" if host else "failed").observe(
            self._env.runtime.now() - started
        )
        return True

    def _give(self, job: Job, host: PhysicalHost) -> PhysicalHost | None:
        assigned = self._protocol.assign(job.claim, host)
        try:
            return self._protocol.take(assigned, host)
        except (Conflict, NotFound):
            return self._protocol.settle(assigned)

    def _refresh(self, claim: HostClaim) -> bool:
        """Read the claim anew, so that it is not served on stale knowledge."""
        try:
            self._env.look(HOST_CLAIM, claim.key)
        except NotFound:
            return False  # the watch will tell; until then rest
        except ApiError as error:
            log.warning("claim %s: %s", claim.key, error)
            return False
        return True


def _stream(claim: ObjectKey) -> str:
    return f"claim-retry/{claim}"
