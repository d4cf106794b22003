"""An hourly look at how hosts are reached: weak or old credentials, TLS that is not verified.

The same rules as admission's, for what was let in before they changed, or has aged since.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable

from beskar7.api.admission import Context, Reader
from beskar7.api.admission.hosts import connection
from beskar7.api.resources import PhysicalHost
from beskar7.metrics import Metrics
from beskar7.runtime import Event, Runtime

log = logging.getLogger(__name__)

PERIOD = 3600.0
"""Seconds (facts section 7)."""


class SecurityMonitor:
    """``hosts`` gives those that there are; ``reader`` the Secrets and Namespaces."""

    def __init__(
        self,
        runtime: Runtime,
        metrics: Metrics,
        hosts: Callable[[], Iterable[PhysicalHost]],
        reader: Reader,
    ) -> None:
        self._runtime = runtime
        self._metrics = metrics
        self._hosts = hosts
        self._reader = reader

    def watch_until(self, stop: Event) -> None:
        """Look every hour until ``stop`` is set."""
        while not stop.wait(PERIOD):
            self.scan()

    def scan(self) -> dict[str, list[str]]:
        """What there is to say of each host, by its key; logged and counted, too."""
        context = Context(self._reader, self._runtime.wall(), dry_run=True)
        found: dict[str, list[str]] = {}
        counts: Counter[str] = Counter()
        for host in self._hosts():
            findings = connection(host.raw, context)
            said = [*findings.warnings, *(f"{c.field}: {c.message}" for c in findings.causes)]
            if said:
                found[str(host.key)] = said
                counts[host.namespace] += len(said)
        self._metrics.security_findings.clear()
        for namespace, count in counts.items():
            self._metrics.security_findings.labels(namespace).set(count)
        for key, said in sorted(found.items()):
            log.warning("security: host %s: %s", key, "; ".join(said))
        return found
