"""The manager as a process: clients, endpoints and signals around :class:`Manager`."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from pathlib import Path
from typing import Any, TextIO

from beskar7.config import Tuning
from beskar7.kube.client import KubeClient, KubeconfigError
from beskar7.kube.ratelimit import TokenBucket
from beskar7.logs import configure
from beskar7.manager import Manager
from beskar7.profiling import heap
from beskar7.profiling.pages import pages as profiles
from beskar7.redfish.sushy_bmc import agent, bmc_connector
from beskar7.runtime import Event, LiveRuntime
from beskar7.runtime.skew import from_environment
from beskar7.serving import AddressError, Answer, Page, Server, plain
from beskar7.settings import ManagerSettings
from beskar7.tracing import OpenTelemetryTracer, TracingUnavailable
from beskar7.webhooks import READ_TIMEOUT, CertificateError, WebhookServer

log = logging.getLogger(__name__)

PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"

MISTAKES = (AddressError, CertificateError, KubeconfigError, TracingUnavailable)


class StartError(Exception):
    """The manager cannot start, and what to do about it."""


class LiveManager:
    """Raises StartError when an address is taken, flags do not fit, or no cluster is named."""

    def __init__(self, settings: ManagerSettings) -> None:
        self._runtime = LiveRuntime(skew=from_environment(os.environ))
        # Open until the process ends, as a signal may come at any time.
        self._ending, self._end = os.pipe()
        os.set_blocking(self._end, False)
        self._settings = settings
        try:
            options: dict[str, Any] = {"user_agent": agent(settings.identity)}
            if settings.kube_api_qps:
                options["limit"] = TokenBucket(
                    self._runtime, settings.kube_api_qps, settings.kube_api_burst
                )
            if settings.kubeconfig:
                kube = KubeClient.from_kubeconfig(settings.kubeconfig, **options)
            else:
                kube = KubeClient.in_cluster(**options)
            self._tracer = (
                OpenTelemetryTracer.to_collector(settings.otlp_endpoint, settings.identity)
                if settings.otlp_endpoint
                else None
            )
            self._manager = Manager(
                self._runtime,
                kube,
                bmc_connector(self._runtime, settings.identity),
                settings,
                patient=kube.with_timeout,
                tracer=self._tracer,
            )
            self._servers = [
                Server(settings.metrics_address, self._pages()),
                Server(
                    settings.probe_address,
                    {"/healthz": lambda _: plain("ok\n"), "/readyz": lambda _: self._ready()},
                ),
            ]
            if settings.pprof_address:
                self._servers.append(Server(settings.pprof_address, profiles(self._runtime)))
            self._webhooks = self._serve_webhooks(kube) if settings.webhook_port else None
        except (*MISTAKES, ValueError) as error:
            raise StartError(str(error)) from None

    def _pages(self) -> dict[str, Page]:
        found: dict[str, Page] = {
            "/metrics": lambda _: self._metrics(),
            "/debug/config": lambda _: self._shown(),
        }
        return found | (profiles(self._runtime) if self._settings.enable_pprof else {})

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
        """Ask for a graceful stop; safe in a signal handler, which must not take locks."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._end, b".")

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
        self._manager.configuration.subscribe(self._tuned)
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
        task = self._runtime.spawn(self._manage, done, name="manager")
        os.read(self._ending, 1)
        done.set()
        task.join(self._settings.shutdown_timeout + 2.0)
        for server in (*self._servers, *([self._webhooks] if self._webhooks else ())):
            server.server_close()
        return 0 if task.done and task.error is None else 1

    def _manage(self, done: Event) -> None:
        try:
            self._manager.run(done)
        finally:
            self.stop()

    def _webhooks_url(self) -> dict[str, str]:
        server = self._webhooks
        host = self._settings.webhook_host
        return {"webhooks": f"https://{host}:{server.port}"} if server else {}

    def _metrics(self) -> Answer:
        return Answer(200, PROMETHEUS_TEXT, self._manager.metrics.exposition())

    def _shown(self) -> Answer:
        body = json.dumps(self._manager.configuration.shown(), indent=2)
        return Answer(200, "application/json", body.encode() + b"\n")

    def _tuned(self, tuning: Tuning) -> None:
        """What the tuning says of the process as a whole."""
        configure(tuning.log)
        if tuning.profiling:
            heap.keep_tracing()
        else:
            heap.stop_tracing()

    def _ready(self) -> Answer:
        return plain("ok\n") if self._manager.ready else plain("not ready\n", 503)
