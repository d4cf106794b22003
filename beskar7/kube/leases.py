"""Leader election on a ``coordination.k8s.io/v1`` Lease, with a fence.

Safety rests on two clocks, each read only by its own process. The holder believes in its
leadership for ``renew_deadline`` from the *start* of its last successful renewal. Another process
takes over when the record has not changed for ``lease_duration`` from when it *saw* the change,
which cannot be before that start. As ``renew_deadline < lease_duration``, and as long as the
clocks run at the same rate, the first has stopped when the second begins. Timestamps in the
record are for people; no decision reads them.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from beskar7.api.errors import AlreadyExists, ApiError, Conflict, NotFound
from beskar7.api.kinds import LEASE
from beskar7.kube.leaserecord import LeaderTimes, LeaseRecord, lease_object
from beskar7.kube.port import Kube, Object
from beskar7.kube.recorder import Recorder
from beskar7.runtime import Runtime, Task

log = logging.getLogger(__name__)

NEVER = float("-inf")


class LeaderElector:
    """Contends for the lease from :meth:`start` to :meth:`stop`, again after every loss.

    The callbacks run in order on one task of their own, so that a slow one delays no renewal.
    They are news, and may come late: what must not happen without leadership asks
    :meth:`is_leader` (or :meth:`valid_until`) at the moment of acting.

    ``kube`` should give up a request well within ``renew_deadline``
    (:meth:`beskar7.kube.client.KubeClient.with_timeout`), or one hanging request costs the lease.
    ``identity`` must differ between processes, and between the lives of one process.
    """

    def __init__(
        self,
        runtime: Runtime,
        kube: Kube,
        namespace: str,
        name: str,
        identity: str,
        *,
        lease_duration: float = 15.0,
        renew_deadline: float = 10.0,
        retry_period: float = 2.0,
        release_on_cancel: bool = True,
        on_started_leading: Callable[[], None] | None = None,
        on_stopped_leading: Callable[[], None] | None = None,
        on_new_leader: Callable[[str], None] | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        """Times in seconds. Raises ValueError when they do not fit together."""
        if not identity:
            raise ValueError(f"lease {namespace}/{name}: the identity is empty")
        self.times = LeaderTimes(lease_duration, renew_deadline, retry_period)
        self.identity = identity
        self._runtime = runtime
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._release_on_cancel = release_on_cancel
        self._on_started = on_started_leading
        self._on_stopped = on_stopped_leading
        self._on_new_leader = on_new_leader
        self._recorder = recorder
        self._rng = runtime.rng(f"leader/{namespace}/{name}/{identity}")
        self._changed = runtime.condition()
        self._stopping = runtime.event()
        # Shared with the announcer and with who asks; under the condition.
        self._valid_until = NEVER
        self._leader = ""
        self._lease = lease_object(namespace, name)
        self._unled_from = runtime.now()
        self._news: deque[str] = deque()
        self._announced = False
        self._finished = False
        # Only of the contender's task.
        self._mine: Object | None = None
        self._acquire_time = ""
        self._observed: LeaseRecord | None = None
        self._observed_at = NEVER
        self._absent = False
        self._contender: Task | None = None
        self._announcer: Task | None = None

    def start(self) -> None:
        if self._contender is None:
            self._announcer = self._runtime.spawn(self._announce, name=f"leader-news-{self._name}")
            self._contender = self._runtime.spawn(self._contend, name=f"leader-{self._name}")

    def is_leader(self) -> bool:
        """True while no other process can be leader."""
        with self._changed:
            return self._is_valid()

    def valid_until(self) -> float:
        """``runtime.now()`` up to which leadership is certain; minus infinity without it."""
        with self._changed:
            return self._valid_until if self._is_valid() else NEVER

    def leader(self) -> str:
        """The identity of the holder last seen; empty when there was none."""
        with self._changed:
            return self._leader

    def vacant(self) -> bool:
        """True when, as far as is known here, nobody leads, and has not for a retry period.

        A holder that was not seen to renew within the renew deadline counts as gone: by then it
        does not believe in its leadership any more, although its lease runs on.
        """
        with self._changed:
            quiet = self._runtime.now() - self._unled_from
            return not self._is_valid() and quiet > self.times.retry_period

    def transitions(self) -> int:
        """``leaseTransitions`` of the lease as this process wrote it last: the term's number."""
        with self._changed:
            return LeaseRecord.of(self._lease).transitions

    def seen_transitions(self) -> int:
        """``leaseTransitions`` of the lease as it was seen last, whoever wrote it."""
        seen = self._observed  # one read, of a record that does not change
        return 0 if seen is None else seen.transitions

    def wait_leading(self, timeout: float | None = None) -> bool:
        """Wait to become leader; False when ``timeout`` seconds or :meth:`stop` came first."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_valid() or self._finished, timeout)
            return self._is_valid()

    def stop(self, timeout: float | None = None) -> bool:
        """Lead no longer, tell so, and give the lease up if that is wanted and safe.

        The lease is released only when ``on_stopped_leading`` has returned within ``timeout``
        (seconds, None: the renew deadline): until then its work may go on. False otherwise.
        """
        timeout = self.times.renew_deadline if timeout is None else timeout
        end = self._runtime.now() + timeout
        self._stopping.set()
        with self._changed:
            self._finished = True
            self._changed.notify_all()
        tasks = [task for task in (self._announcer, self._contender) if task is not None]
        ended = all(task.join(max(0.0, end - self._runtime.now())) for task in tasks)
        if ended and self._release_on_cancel:
            try:
                self._release()
            except ApiError as error:
                log.warning("lease %s: not released, it will expire: %s", self._name, error)
        return ended

    def _is_valid(self) -> bool:
        return not self._finished and self._runtime.now() < self._valid_until

    # -- the contender

    def _contend(self) -> None:
        while not self._stopping.is_set():
            try:
                self._attempt()
            except ApiError as error:
                log.warning("lease %s: %s", self._name, error)
            except Exception:
                log.exception("lease %s: the attempt failed", self._name)
            self._stopping.wait(self._pause())

    def _pause(self) -> float:
        """Seconds to the next attempt; never longer than until the holder's time is over."""
        pause = self.times.retry_period * (1 - 0.2 * self._rng.random())
        left = self._expiry() - self._runtime.now()
        return min(pause, left) if self._mine is None and left > 0 else pause

    def _attempt(self) -> None:
        if self._mine is not None:
            # While nobody interferes, a renewal is one request.
            mine, self._mine = self._mine, None
            try:
                self._write(mine)
                return
            except (Conflict, NotFound):
                log.info("lease %s was changed by somebody else", self._name)
            except ApiError:
                self._mine = mine
                raise
        lease = self._read()
        # A lease of ours that is missing may have been somebody else's in between, unless the time
        # that it gave us is not over.
        ours = self._is_ours() and (lease is not None or self.is_leader())
        if ours or self._observed is None or self._runtime.now() >= self._expiry():
            try:
                self._write(lease)
            except (Conflict, AlreadyExists):
                # Another one was quicker. Its time runs from when we know of it.
                self._read()

    def _read(self) -> Object | None:
        try:
            lease = self._kube.get(LEASE, self._namespace, self._name)
        except NotFound:
            if not self._absent:
                # Somebody has deleted it. A leader of whom we may not have heard is to have the
                # time to write it again, or to find out that it no longer leads.
                self._absent = True
                self._observed_at = self._runtime.now()
                with self._changed:
                    self._unled_from = min(self._unled_from, self._observed_at)
            return None
        self._see(LeaseRecord.of(lease))
        return lease

    def _is_ours(self) -> bool:
        held = self._observed
        return (
            held is not None
            and held.holder == self.identity
            and held.acquire_time == self._acquire_time
        )

    def _expiry(self) -> float:
        held = self._observed
        if held is None or not held.holder:
            return NEVER
        return self._observed_at + (held.duration or self.times.lease_duration)

    def _write(self, lease: Object | None) -> None:
        """Take or renew the lease over ``lease`` as it was read; None: create it."""
        wall = self._runtime.wall()
        held = LeaseRecord.of(lease) if lease is not None else None
        if held is not None and self._is_ours():
            wanted = held.renewed(self.times, wall)
        elif held is not None:
            wanted = held.taken_by(self.identity, self.times, wall)
        else:
            wanted = LeaseRecord.first(self.identity, self.times, wall)
        # Kept before the request: if its answer is lost, the record is known as ours by this.
        self._acquire_time = wanted.acquire_time
        start = self._runtime.now()
        if lease is None:
            body = lease_object(self._namespace, self._name)
            written = self._kube.create(LEASE, wanted.into(body))
        else:
            written = self._kube.update(LEASE, wanted.into(lease))
        self._mine = written
        self._see(LeaseRecord.of(written))
        with self._changed:
            self._valid_until = start + self.times.renew_deadline
            self._lease = written
            self._changed.notify_all()

    def _see(self, record: LeaseRecord) -> None:
        if record == self._observed and not self._absent:
            return
        self._absent = False
        self._observed = record
        self._observed_at = self._runtime.now()
        with self._changed:
            held = self.times.renew_deadline if record.holder else 0.0
            self._unled_from = self._observed_at + held
            if not self._is_ours():
                self._valid_until = NEVER
            if record.holder != self._leader:
                self._leader = record.holder
                if record.holder:
                    self._news.append(record.holder)
            self._changed.notify_all()

    def _release(self) -> None:
        lease = self._mine
        if lease is None:
            return
        self._mine = None
        released = LeaseRecord.of(lease).released(self._runtime.wall())
        try:
            self._kube.update(LEASE, released.into(lease))
        except (Conflict, NotFound):
            # Somebody else has changed or deleted it; then there is nothing of ours to give up.
            log.debug("lease %s: nothing to release", self._name)
        else:
            log.info("lease %s: released by %s", self._name, self.identity)

    # -- the announcer

    def _announce(self) -> None:
        """Tell the callbacks, in order, whatever the contender waits for."""
        while True:
            with self._changed:
                while not self._has_news():
                    if self._finished:
                        return
                    now = self._runtime.now()
                    self._changed.wait(self._valid_until - now if self._announced else None)
                leading, was_leading = self._is_valid(), self._announced
                news = list(self._news)
                self._news.clear()
                self._announced = leading
                lease = self._lease
            for leader in news:
                log.info("lease %s: the leader is %s", self._name, leader)
                self._call(self._on_new_leader, leader)
            if leading != was_leading:
                self._tell(leading, lease)

    def _has_news(self) -> bool:
        return bool(self._news) or self._is_valid() != self._announced

    def _tell(self, leading: bool, lease: Object) -> None:
        word = "started" if leading else "stopped"
        self._runtime.trace("leader", f"{self._name} {self.identity} {word}")
        log.info("lease %s: %s %s leading", self._name, self.identity, word)
        if leading and self._recorder is not None:
            self._recorder.event(
                lease,
                "Normal",
                "LeaderElected",
                f"{self.identity} became leader",
            )
        self._call(self._on_started if leading else self._on_stopped)

    def _call(self, callback: Callable[..., None] | None, *args: str) -> None:
        try:
            if callback is not None:
                callback(*args)
        except Exception:
            log.exception("lease %s: a callback failed", self._name)
