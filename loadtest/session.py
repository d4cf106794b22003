"""What the users of one test share: how to reach the cluster, who holds which host, the figures.

Of a distributed test each worker has one, and the master one that theirs are added to.
"""

from __future__ import annotations

import itertools
import os
import secrets
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtest import kubeconfig, thresholds
from loadtest.api import Api
from loadtest.background import tell_progress, watch_the_loop, watch_the_parent
from loadtest.child import BAD_INPUT, COMPLAINT, METRICS_URLS, PARENT
from loadtest.lifecycle import BrokenPromise, HostLedger, Settings
from loadtest.managers import by_pods, by_urls
from loadtest.metrics import ClaimAttempts, conflict_events
from loadtest.preflight import preflight
from loadtest.report import Recorder, render, summary, write
from loadtest.shapes import AGAIN, ONCE, Shape, chosen
from loadtest.workers import LastFigures

AGENT = "beskar7-loadtest/1"
PREFIX = "load-"
RELEASE, WORKERS = "beskar7-release", "beskar7-workers"
"""The master's messages to its workers: give everything back now; so many of you there are."""
REFUSED = "beskar7-refused"
"""A worker's message to the master: why the test cannot be run like this."""


class Session:
    """See above. Locust's events are bound by :meth:`bind`."""

    def __init__(self, environment: Environment) -> None:
        """Raises KubeconfigError, ShapeError, ThresholdError, NotReady."""
        options: Any = environment.parsed_options
        if not options.kubeconfig:
            raise kubeconfig.KubeconfigError("no kubeconfig: set KUBECONFIG or give --kubeconfig")
        self.environment = environment
        self.access = kubeconfig.load(options.kubeconfig)
        self._take(options)
        self.thresholds = thresholds.load(Path(options.thresholds)) if options.thresholds else []
        self.ledger = HostLedger()
        self.recorder = Recorder()
        self.prefix = f"{PREFIX}{secrets.token_hex(3)}-"
        self.released = Event()
        """Set when machines that are given back together are given back."""
        self.stopping = Event()
        """Set when the test ends before its shape does: nobody keeps a machine any longer."""
        self.refused = ""
        """Why the test was given up."""
        self.workers = 1
        """Processes that share the shape's appointments."""
        self.summary_path = Path(options.summary) if options.summary else None
        # A worker that waited for managers here would hear its master before it knew what to do.
        worker = isinstance(environment.runner, WorkerRunner)
        urls = [] if worker else os.environ.get(METRICS_URLS, "").split()
        self.managers = by_urls(urls) if worker or urls else by_pods(self.connect)
        if not worker:
            preflight(self.connect(), self.access.server, self.settings.namespace)
        self.attempts = ClaimAttempts(self.managers)
        self._prefixes = {self.prefix}
        self._numbers = itertools.count(1)
        self.began = time.monotonic()
        self._finishing = BoundedSemaphore(1)
        self._finished = False

    def _take(self, options: Any) -> None:
        """What is asked for. Raises ShapeError."""
        self.shape: Shape | None = chosen(options)
        self.settings = Settings(
            namespace=options.namespace or self.access.namespace,
            image_url=options.image_url,
            claim_timeout=options.claim_timeout,
            provision_timeout=options.provision_timeout,
            release_timeout=options.release_timeout,
            hold=options.hold if self.shape is None else self.shape.hold,
        )

    def bind(self) -> None:
        """Hear of the test's course, and of the workers' figures."""
        events = self.environment.events
        events.test_start.add_listener(self._test_starts)
        events.report_to_master.add_listener(self._report)
        events.worker_report.add_listener(self._reported)
        events.test_stopping.add_listener(self._stops)
        events.quitting.add_listener(self._quitting)
        self.last_figures = LastFigures(self.environment)
        runner = self.environment.runner
        if isinstance(runner, WorkerRunner):
            runner.register_message(RELEASE, lambda **_: self.released.set())
            runner.register_message(WORKERS, self._told_workers)
        elif isinstance(runner, MasterRunner):
            runner.register_message(REFUSED, lambda msg, **_: self.give_up(msg.data["why"]))

    # --- what users ask -----------------------------------------------------------------------

    def connect(self) -> Api:
        """A way to the API server for one task."""
        return Api(self.access, AGENT)

    def next_name(self) -> str:
        return f"{self.prefix}{next(self._numbers):05d}"

    def elapsed(self) -> float:
        """Seconds since the test began."""
        return time.monotonic() - self.began

    @property
    def asking(self) -> bool:
        """Whether machines are still asked for."""
        made = self.shape
        return made is None or made.lives == ONCE or self.elapsed() < made.seconds

    def measured(self, name: str, seconds: float, error: BrokenPromise | None = None) -> None:
        """Lifecycle's observer: to Locust's statistics and to our own."""
        if error is None:
            self.recorder.success(name, seconds)
        else:
            self.recorder.failure(name, str(error))
        self.tell_locust("machine", name, seconds, error)

    def tell_locust(
        self, kind: str, name: str, seconds: float, error: Exception | None = None
    ) -> None:
        """Add to Locust's own statistics."""
        self.environment.events.request.fire(
            request_type=kind,
            name=name,
            response_time=seconds * 1000.0,
            response_length=0,
            exception=error,
            context={},
        )

    def outcome(self, name: str) -> None:
        self.recorder.outcome(name)

    def life(self, moment: str) -> None:
        """Note that a life is ``begun``, ``served`` or ``over``."""
        self.recorder.lives[moment] += 1

    def give_up(self, why: str) -> None:
        """End the whole test: it cannot be run like this."""
        if self.refused:
            return
        self.refused = why
        runner = self.environment.runner
        if isinstance(runner, WorkerRunner):
            runner.send_message(REFUSED, {"why": why})
            return
        self.environment.process_exit_code = BAD_INPUT
        sys.stderr.write(f"{COMPLAINT}{why}\n")
        if runner:
            gevent.spawn(runner.quit)

    # --- what a shape asks --------------------------------------------------------------------

    def over(self, made: Shape) -> bool:
        """Whether all that the shape asks for is done; and lets go what is given back together."""
        lives = self.recorder.lives
        if made.together and lives["served"] >= made.machines and not self.released.is_set():
            self.released.set()
            if isinstance(self.environment.runner, MasterRunner):
                self.environment.runner.send_message(RELEASE)
        if made.lives == ONCE:
            return lives["over"] >= made.machines
        wanted = 1 if made.lives == AGAIN else made.machines
        return not self.asking and lives["over"] >= max(wanted, lives["begun"])

    @property
    def longest_life(self) -> float:
        """Seconds after which a life that was begun is over, one way or the other."""
        limits = self.settings
        return limits.provision_timeout + limits.hold + limits.release_timeout

    # --- Locust's events ----------------------------------------------------------------------

    def _test_starts(self, **_: Any) -> None:
        self.began = time.monotonic()
        # Without its page, Locust hears SIGTERM only once its shape is done, and before that dies
        # of it with all machines in hand. As Ctrl-C it ends in order, with a page and without.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        runner = self.environment.runner
        if isinstance(runner, MasterRunner):
            runner.send_message(WORKERS, {"count": runner.worker_count})
        elif isinstance(runner, WorkerRunner):
            # Its master has sent its own options with the order to begin.
            self._take(self.environment.parsed_options)
        gevent.spawn(watch_the_loop, self.recorder)
        if os.environ.get(PARENT) == str(os.getppid()):
            gone = partial(self.give_up, "the process that began this test is gone")
            gevent.spawn(watch_the_parent, gone)
        if not isinstance(runner, WorkerRunner):
            gevent.spawn(tell_progress, self.recorder, self.elapsed)

    def _stops(self, **_: Any) -> None:
        self.stopping.set()
        self.released.set()
        self.last_figures.collect()

    def _told_workers(self, msg: Any, **_: Any) -> None:
        self.workers = max(1, int(msg.data["count"]))

    def _report(self, client_id: str, data: dict[str, Any]) -> None:
        data["beskar7"] = {"prefix": self.prefix, **self.recorder.take()}

    def _reported(self, client_id: str, data: dict[str, Any]) -> None:
        if taken := data.pop("beskar7", None):
            self._prefixes.add(taken.pop("prefix"))
            self.recorder.merge(taken)

    def _quitting(self, **_: Any) -> None:
        # On Ctrl-C users still run here; stopping them first gives their machines back.
        runner = self.environment.runner
        if isinstance(runner, WorkerRunner):
            self.last_figures.send()
        if runner:
            runner.quit()
        if not isinstance(runner, WorkerRunner):
            self._finish()

    def _finish(self) -> None:
        """Print and keep the findings, and decide the exit code; once, whoever comes first.

        After SIGTERM two greenlets of Locust's come here; the second must wait, or it would end
        the process while the first still asks for the last figures.
        """
        with self._finishing:
            if not self._finished:
                self._finished = True
                self._conclude()

    def _conclude(self) -> None:
        runner = self.environment.runner
        if isinstance(runner, MasterRunner) and (lost := len(runner.clients.missing)):
            self.recorder.outcomes["workers lost"] += lost
        api = self.connect()
        facts: dict[str, Any] = {
            "seconds": self.elapsed(),
            "namespace": self.settings.namespace,
            "shape": None if self.shape is None else self.shape.name,
        }
        if self.refused:
            facts["refused"] = self.refused
        found = summary(
            self.recorder,
            facts,
            self.attempts.since_start(),
            conflict_events(api, self.settings.namespace, tuple(sorted(self._prefixes))),
            self.thresholds,
        )
        api.close()
        sys.stdout.write(f"\n{render(found)}\n")
        sys.stdout.flush()
        if self.summary_path:
            write(found, self.summary_path)
        if self.environment.process_exit_code is None:
            self.environment.process_exit_code = 0 if found["passed"] else 1
