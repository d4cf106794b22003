"""The manager as a process: clients, endpoints and signals around :class:`Manager`."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import TextIO

from beskar7.config import ManagerSettings
from beskar7.kube.client import KubeClient, KubeconfigError
from beskar7.manager import Manager
from beskar7.profiling.pages import pages as profiles
from beskar7.redfish.sushy_bmc import agent, bmc_connector
from beskar7.runtime import LiveRuntime
from beskar7.runtime.skew import from_environment
from beskar7.serving import AddressError, Answer, Server, plain
from beskar7.webhooks import READ_TIMEOUT, CertificateError, WebhookServer

log = logging.getLogger(__name__)

PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"
POLL = 0.5
"""Seconds between looks at the stop flag: a signal handler must not take locks."""


class StartError(Exception):
    """The manager cannot start, and what to do about it."""


class LiveManager:
    """Raises StartError when an address is taken, flags do not fit, or no cluster is named."""

    def __init__(self, settings: ManagerSettings) -> None:
        self._runtime = LiveRuntime(skew=from_environment(os.environ))
        self._stopped = False
        self._settings = settings
        name = agent(settings.identity)
        try:
            if settings.kubeconfig:
                kube = KubeClient.from_kubeconfig(settings.kubeconfig, user_agent=name)
            else:
                kube = KubeClient.in_cluster(user_agent=name)
            self._manager = Manager(
                self._runtime,
                kube,
                bmc_connector(self._runtime, settings.identity),
                settings,
                election_kube=kube.with_timeout(settings.lease.renew_deadline / 2),
                claim_election_kube=(
                    kube.with_timeout(settings.claim_lease.renew_deadline / 2)
                    if settings.claim_lease
                    else None
                ),
            )
            self._servers = [
                Server(
                    settings.metrics_address,
                    {"/metrics": lambda _: self._metrics(), **profiles(self._runtime)},
                ),
                Server(
                    settings.probe_address,
                    {"/healthz": lambda _: plain("ok\n"), "/readyz": lambda _: self._ready()},
                ),
            ]
            self._webhooks = self._serve_webhooks(kube) if settings.webhook_port else None
        except (AddressError, CertificateError, KubeconfigError, ValueError) as error:
            raise StartError(str(error)) from None

    def _serve_webhooks(self, kube: KubeClient) -> WebhookServer:
        settings = self._settings
        if not settings.webhook_cert_dir:
            raise CertificateError(
                "--webhook-cert-dir: must name the directory of tls.crt and tls.key, as "
                "--webhook-port is set"
            )
        address = f"{settings.webhook_host}:{settings.webhook_port}"
        reader = kube.with_timeout(READ_TIMEOUT)
        return WebhookServer(address, Path(settings.webhook_cert_dir), reader, self._runtime)

    def stop(self) -> None:
        """Ask for a graceful stop; safe in a signal handler."""
        self._stopped = True

    def stop_with(self, stream: TextIO) -> None:
        """Stop when ``stream`` ends."""

        def wait() -> None:
            while stream.read(1):
                pass
            self.stop()

        self._runtime.spawn(wait, name="stdin")

    def run(self) -> int:
        """Until stopped; the exit code."""
        done = self._runtime.event()
        for server in self._servers:
            server.start(self._runtime)
        if self._webhooks is not None:
            self._webhooks.start()
        print(  # noqa: T201 # the supervisor reads this line
            json.dumps(
                {
                    "ready": True,
                    "identity": self._settings.identity,
                    "metrics": f"http://127.0.0.1:{self._servers[0].port}/metrics",
                    "probes": f"http://127.0.0.1:{self._servers[1].port}",
                    **self._webhooks_url(),
                }
            ),
            flush=True,
        )
        task = self._runtime.spawn(self._manager.run, done, name="manager")
        while not self._stopped and not task.done:
            task.join(POLL)
        done.set()
        task.join(self._settings.shutdown_timeout + 2.0)
        for server in (*self._servers, *([self._webhooks] if self._webhooks else ())):
            server.server_close()
        return 0 if task.done and task.error is None else 1

    def _webhooks_url(self) -> dict[str, str]:
        server = self._webhooks
        host = self._settings.webhook_host
        return {"webhooks": f"https://{host}:{server.port}"} if server else {}

    def _metrics(self) -> Answer:
        return Answer(200, PROMETHEUS_TEXT, self._manager.metrics.exposition())

    def _ready(self) -> Answer:
        return plain("ok\n") if self._manager.ready else plain("not ready\n", 503)
