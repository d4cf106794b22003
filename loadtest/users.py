"""Locust's side: a user that asks for machines, and what the whole test shares.

Importing this imports Locust, which monkey-patches the process: never from pytest or the lab.
"""

from __future__ import annotations

import itertools
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import gevent
from gevent.lock import BoundedSemaphore
from locust import User, constant, task
from locust.env import Environment

from loadtest import kubeconfig
from loadtest.api import Api, ApiError, Unreachable
from loadtest.lifecycle import (
    TIME_TO_CLAIM,
    TIME_TO_PROVISIONED,
    BrokenPromise,
    HostLedger,
    Lifecycle,
    Settings,
)
from loadtest.metrics import ClaimAttempts, conflict_events
from loadtest.report import Recorder, render, summary, write

AGENT = "beskar7-loadtest/1"
PROGRESS_EVERY = 10.0
PAUSE_AFTER_REFUSAL = 1.0
"""Seconds a user waits when the API server is not there or is busy."""
BAD_INPUT = 2
"""Exit code when the test could not be run as asked."""


class Session:
    """What the users of one test share."""

    def __init__(self, environment: Environment) -> None:
        """Raises KubeconfigError."""
        options: Any = environment.parsed_options
        if not options.kubeconfig:
            raise kubeconfig.KubeconfigError("no kubeconfig: set KUBECONFIG or give --kubeconfig")
        self.environment = environment
        self.access = kubeconfig.load(options.kubeconfig)
        self.settings = Settings(
            namespace=options.namespace or self.access.namespace,
            image_url=options.image_url,
            claim_timeout=options.claim_timeout,
            provision_timeout=options.provision_timeout,
            release_timeout=options.release_timeout,
            hold=options.hold,
        )
        self.ledger = HostLedger()
        self.recorder = Recorder()
        self.prefix = f"load-{secrets.token_hex(3)}-"
        self.summary_path = Path(options.summary) if options.summary else None
        self._numbers = itertools.count(1)
        self._began = time.monotonic()
        self._attempts = ClaimAttempts(os.environ.get("BESKAR7_METRICS_URLS", "").split())
        self._finishing = BoundedSemaphore(1)
        self._finished = False

    def next_name(self) -> str:
        return f"{self.prefix}{next(self._numbers):05d}"

    def measured(self, name: str, seconds: float, error: BrokenPromise | None = None) -> None:
        """Lifecycle's observer: to Locust's statistics and to our own."""
        if error is None:
            self.recorder.success(name, seconds)
        else:
            self.recorder.failure(name, str(error))
        self.environment.events.request.fire(
            request_type="beskar7",
            name=name,
            response_time=seconds * 1000.0,
            response_length=0,
            exception=error,
            context={},
        )

    def outcome(self, name: str) -> None:
        self.recorder.outcome(name)

    def progress(self) -> None:
        """A line now and then, for as long as the greenlet lives."""
        while True:
            gevent.sleep(PROGRESS_EVERY)
            done = self.recorder.succeeded
            sys.stdout.write(
                f"{time.monotonic() - self._began:>5.0f} s: {done[TIME_TO_CLAIM]} claimed,"
                f" {done[TIME_TO_PROVISIONED]} provisioned,"
                f" promises broken: {self.recorder.failed.total()}\n"
            )
            sys.stdout.flush()

    def finish(self) -> None:
        """Print and keep the findings, and decide the exit code; once, whoever comes first.

        After SIGTERM two greenlets of Locust's come here; the second must wait, or it would end
        the process while the first still asks for the last figures.
        """
        with self._finishing:
            if not self._finished:
                self._finished = True
                self._conclude()

    def _conclude(self) -> None:
        api = Api(self.access, AGENT)
        found = summary(
            self.recorder,
            {"seconds": time.monotonic() - self._began, "namespace": self.settings.namespace},
            self._attempts.since_start(),
            conflict_events(api, self.settings.namespace, self.prefix),
        )
        api.close()
        sys.stdout.write(f"\n{render(found)}\n")
        sys.stdout.flush()
        if self.summary_path:
            write(found, self.summary_path)
        if self.environment.process_exit_code is None:
            self.environment.process_exit_code = 0 if found["passed"] else 1

    def give_up(self, why: str) -> None:
        """End the whole test: it cannot be run like this."""
        if self.environment.process_exit_code is None:
            self.environment.process_exit_code = BAD_INPUT
            sys.stderr.write(f"load test: {why}\n")
            if self.environment.runner:
                gevent.spawn(self.environment.runner.quit)


class MachineRequester(User):
    """Asks for a machine, waits until it runs, keeps it a while, gives it back, and again."""

    wait_time = constant(0)
    session: ClassVar[Session]

    def on_start(self) -> None:
        self.api = Api(self.session.access, AGENT)
        self.lifecycle = Lifecycle(
            self.api,
            self.session.settings,
            self.session.ledger,
            self.session,
            sleep=gevent.sleep,
        )

    def on_stop(self) -> None:
        self.api.close()

    @task
    def live(self) -> None:
        try:
            self.lifecycle.run(self.session.next_name())
        except Unreachable:
            self.session.outcome("API server not reachable")
            gevent.sleep(PAUSE_AFTER_REFUSAL)
        except ApiError as error:
            if error.code == 429 or error.code >= 500:
                self.session.outcome(f"API server answered {error.code}")
                gevent.sleep(PAUSE_AFTER_REFUSAL)
            else:
                self.session.give_up(f"the API server refuses: {error}")
