"""A controller: a queue of requests, workers that reconcile them, and what errors mean."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from beskar7.api.errors import ApiError, Conflict, NotFound, ServiceUnavailable, TooManyRequests
from beskar7.api.meta import ObjectKey
from beskar7.kube.cache import Cache
from beskar7.kube.objects import key_of
from beskar7.kube.port import Object
from beskar7.kube.workqueue import WorkQueue
from beskar7.runtime import Deadline, Runtime, Task

log = logging.getLogger(__name__)

Request = ObjectKey
"""Which object to reconcile; its kind is the controller's."""

Outcome = Literal["success", "error", "requeue", "not_found"]

CONFLICT_DELAY = 0.005
"""Seconds to the first repetition after a conflict, twice that to the second, and so on: as
client-go's rate limiter begins, and of the order of a watch event's way."""
INITIAL_PRIORITY = -100
"""Of what the first list brings, so that a restart's backlog does not hold up what changes now."""


@dataclass(frozen=True, slots=True)
class Result:
    """``requeue_after`` in seconds, None: not before a change. ``found`` False: it was gone."""

    requeue_after: float | None = None
    found: bool = True


DONE = Result()
GONE = Result(found=False)


class TemporaryError(Exception):
    """Try again in ``delay`` seconds; None: after a delay that grows with every failure."""

    def __init__(self, message: str, delay: float | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class PermanentError(Exception):
    """Trying again would not help; only a change of an object brings the request back."""


Reconcile = Callable[[Request], Result]
Observer = Callable[[Request, Outcome, float, str], None]
"""Hears (request, outcome, seconds, reason) of every reconcile; the reason says why it failed or
comes again, in a word or two."""

Mapper = Callable[[Object], Iterable[Request]]
Delay = Callable[[Object | None, Object | None, Request], float]


class Controller:
    """``workers`` tasks that call ``reconcile``, never two for the same request at once.

    ``patience``: conflicts of one request in a row before its delay grows.
    """

    def __init__(
        self,
        runtime: Runtime,
        name: str,
        reconcile: Reconcile,
        queue: WorkQueue[Request] | None = None,
        workers: int = 1,
        *,
        patience: int = 3,
        observe: Observer | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError(f"controller {name}: workers must be at least 1, not {workers}")
        self.name = name
        self.queue = queue or WorkQueue[Request](runtime, name, runtime.rng(f"workqueue/{name}"))
        self._runtime = runtime
        self._reconcile = reconcile
        self._workers = workers
        self._patience = patience
        self._observe = observe
        self._started = False
        self._tasks: dict[int, Task] = {}
        self._lock = runtime.lock()
        self._conflicts: dict[Request, int] = {}
        """In a row, of requests that have not been done since."""

    def watch(
        self,
        cache: Cache,
        mapper: Mapper | None = None,
        *,
        priority: int = 0,
        delay: Delay | None = None,
    ) -> None:
        """Reconcile when an object of ``cache`` changes.

        ``mapper`` names the requests that an object concerns (default: itself). It is asked about
        the old and the new state, so that what an object pointed at before is reconciled too.
        ``delay`` tells for how many seconds a request can wait that comes from a change.
        """
        to_requests = mapper or (lambda obj: (key_of(obj),))

        def changed(old: Object | None, new: Object | None) -> None:
            urgency = priority if cache.synced else min(priority, INITIAL_PRIORITY)
            requests: dict[Request, None] = {}
            for state in (old, new):
                if state is not None:
                    requests.update(dict.fromkeys(to_requests(state)))
            for request in requests:
                later = 0.0 if delay is None else delay(old, new, request)
                if later > 0:
                    self.queue.add_after(request, later, priority=urgency)
                else:
                    self.queue.add(request, priority=urgency)

        cache.on_change(changed)

    def start(self) -> None:
        with self._lock:
            self._started = True
            self._grow()

    def resize(self, workers: int) -> None:
        """Another number of workers from now on; a surplus one leaves after its next request."""
        with self._lock:
            self._workers = workers
            if self._started:
                self._grow()

    def _grow(self) -> None:
        for number in range(self._workers):
            if number not in self._tasks:
                self._tasks[number] = self._runtime.spawn(
                    self._work, number, name=f"{self.name}-{number}"
                )

    def stop(self, timeout: float | None = None) -> bool:
        """Take nothing more and wait for what runs; False when ``timeout`` seconds came first."""
        self.queue.shut_down()
        deadline = Deadline(self._runtime, timeout)
        with self._lock:
            tasks = list(self._tasks.values())
        return all(task.join(deadline.remaining()) for task in tasks)

    def _work(self, number: int) -> None:
        while (request := self.queue.get()) is not None:
            try:
                self._process(request)
            finally:
                self.queue.done(request)
            with self._lock:
                if number >= self._workers:
                    del self._tasks[number]
                    return

    def _process(self, request: Request) -> None:
        start = self._runtime.now()
        outcome, reason = self._attempt(request)
        if self._observe is not None:
            try:
                self._observe(request, outcome, self._runtime.now() - start, reason)
            except Exception:
                log.exception("%s: the observer failed", self.name)

    def _attempt(self, request: Request) -> tuple[Outcome, str]:
        queue = self.queue
        try:
            result = self._reconcile(request)
        except Conflict as error:
            # Somebody else was quicker. Reading again is all that is needed.
            delay = self._retry_conflict(request)
            log.debug("%s %s: conflict, again in %.3f s: %s", self.name, request, delay, error)
            return "requeue", "Conflict"
        except NotFound as error:
            delay = queue.add_rate_limited(request)
            log.info("%s %s: again in %.3f s: %s", self.name, request, delay, error)
            return "not_found", ""
        except ApiError as error:
            delay = self._retry(request, _retry_after(error))
            log.warning("%s %s: again in %.3f s: %s", self.name, request, delay, error)
            return "error", error.reason
        except TemporaryError as error:
            delay = self._retry(request, error.delay)
            log.info("%s %s: again in %.3f s: %s", self.name, request, delay, error)
            return "requeue", type(error).__name__
        except PermanentError as error:
            queue.forget(request)
            log.error("%s %s: given up until a change: %s", self.name, request, error)
            return "error", type(error).__name__
        except Exception as error:
            delay = queue.add_rate_limited(request)
            log.exception("%s %s: failed, again in %.3f s", self.name, request, delay)
            return "error", type(error).__name__
        queue.forget(request)
        self._conflicts.pop(request, None)
        if result.requeue_after is not None:
            queue.add_after(request, result.requeue_after)
            return "requeue", "Scheduled"
        return ("success" if result.found else "not_found"), ""

    def _retry_conflict(self, request: Request) -> float:
        """At first as soon as a cache may have caught up; for long only if that does not help."""
        conflicts = self._conflicts.get(request, 0) + 1
        if conflicts > self._patience:
            return self.queue.add_rate_limited(request)
        self._conflicts[request] = conflicts
        self.queue.add_after(request, CONFLICT_DELAY * conflicts)
        return CONFLICT_DELAY * conflicts

    def _retry(self, request: Request, delay: float | None) -> float:
        if delay is None:
            return self.queue.add_rate_limited(request)
        self.queue.add_after(request, delay)
        return delay


def _retry_after(error: ApiError) -> float | None:
    """Seconds that the server asks for; bounded, for they come from outside."""
    seconds = error.details.get("retryAfterSeconds")
    if isinstance(error, ServiceUnavailable | TooManyRequests) and isinstance(seconds, int | float):
        return min(max(float(seconds), 0.005), 60.0)
    return None
