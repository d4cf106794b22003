"""What reconciles cost and how they end: metrics of each, and a line of log every now and then."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from beskar7.controller_metrics import ControllerMetrics
from beskar7.kube.controller import Outcome, Request
from beskar7.runtime import Event, Runtime

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Sums:
    count: int = 0
    errors: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    slowest: str = ""


class ReconcileLog:
    """``interval``: seconds between lines, as ``metrics.interval`` says at the moment."""

    def __init__(
        self, runtime: Runtime, metrics: ControllerMetrics, interval: Callable[[], float]
    ) -> None:
        self._runtime = runtime
        self._metrics = metrics
        self._interval = interval
        self._lock = runtime.lock()
        self._sums: defaultdict[str, _Sums] = defaultdict(_Sums)

    def observe(
        self, controller: str, request: Request, outcome: Outcome, seconds: float, reason: str
    ) -> None:
        """``reason``: why it failed or comes again; empty where there is nothing to say."""
        metrics, namespace = self._metrics, request.namespace
        metrics.reconciliations.labels(controller, outcome, namespace).inc()
        metrics.reconciliation_duration.labels(controller, outcome, namespace).observe(seconds)
        if outcome == "error":
            metrics.errors.labels(controller, reason, namespace).inc()
        elif outcome == "requeue":
            metrics.requeues.labels(controller, reason, namespace).inc()
        with self._lock:
            sums = self._sums[controller]
            sums.count += 1
            sums.errors += outcome == "error"
            sums.seconds += seconds
            if seconds > sums.longest:
                sums.longest, sums.slowest = seconds, str(request)

    def report_until(self, stop: Event) -> None:
        """Log a line for each controller that had work, until ``stop`` is set."""
        began = self._runtime.now()
        while not stop.wait(self._interval()):
            now = self._runtime.now()
            self._report(now - began)
            began = now

    def _report(self, period: float) -> None:
        with self._lock:
            sums, self._sums = self._sums, defaultdict(_Sums)
        for controller, each in sorted(sums.items()):
            log.info(
                "Reconcile %s: %d in %.0fs, mean %.1fms, longest %.1fms (%s), %d failed",
                controller,
                each.count,
                period,
                each.seconds / each.count * 1e3,
                each.longest * 1e3,
                each.slowest or "-",
                each.errors,
            )
