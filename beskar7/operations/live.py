"""A cluster that a kubeconfig names, as :class:`beskar7.operations.cluster.Cluster`."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import quote

from beskar7.api.errors import ApiError, Forbidden
from beskar7.api.kinds import CONFIG_MAP, POD, POD_METRICS
from beskar7.api.objects import Object
from beskar7.config import CONFIG_MAP_NAME
from beskar7.kube.client import KubeClient
from beskar7.manifests.rights import NAMESPACE
from beskar7.operations.cluster import Profile, Usage
from beskar7.operations.podstatus import (
    CONTAINER,
    SELECTOR,
    container_status,
    metrics_port,
    named,
    pod_name,
    running,
)
from beskar7.operations.profiletext import HEAP_PATH, TASKS_PATH, profile_of
from beskar7.operations.quantities import quantity
from beskar7.runtime import LiveRuntime, Runtime

log = logging.getLogger(__name__)

T = TypeVar("T")

REQUEST_TIMEOUT = 10.0
"""Seconds for the head of an answer, and again for its body; an operator waits for it."""
MAX_METRICS = 32 * 1024 * 1024
"""Bytes of one manager's; 10,000 BMCs have about 4 MB of series."""
PROFILING_KEY = "metrics.enableProfiling"
MAX_PROFILE = 8 * 1024 * 1024
"""Bytes of a page of a manager's profiles; a thousand tasks have about 500 KB."""
MAX_LOG = 16 * 1024 * 1024
"""Bytes of one container's log, of its newest :data:`MAX_LINES`."""
MAX_LINES = 20_000
CLOCK_TOLERANCE = 2.0
"""Seconds by which the server's clock, told in whole seconds, may seem to differ from ours."""
_SMALL = 1 << 20


class LiveCluster:
    """Reads of the managers' pods at most :data:`MAX_METRICS` and :data:`MAX_LOG` bytes each.

    The wall clock of ``runtime`` is the API server's, by which leases and timestamps are to be
    judged; this machine's may be wrong.
    """

    kube: KubeClient
    runtime: Runtime

    def __init__(self, kube: KubeClient, runtime: Runtime, namespace: str = NAMESPACE) -> None:
        self.kube = kube
        self.runtime = runtime
        self.namespace = namespace

    @classmethod
    def from_kubeconfig(
        cls,
        path: str | Path | None = None,
        context: str | None = None,
        namespace: str = NAMESPACE,
    ) -> Self:
        """``path`` None: ``$KUBECONFIG``, else ``~/.kube/config``.

        Raises :class:`beskar7.kube.client.KubeconfigError`, and an ApiError when the API server
        does not answer.
        """
        kube = KubeClient.from_kubeconfig(
            path, context=context, user_agent="beskar7-operations", request_timeout=REQUEST_TIMEOUT
        )
        try:
            ahead = _clock_ahead(kube, LiveRuntime())
        except BaseException:
            kube.close()
            raise
        return cls(kube, LiveRuntime(skew=lambda _: ahead), namespace)

    def close(self) -> None:
        """Drop idle connections."""
        self.kube.close()

    def pods(self) -> list[Object]:
        """The managers' pods in the order of their names. Raises an ApiError."""
        found = self.kube.list(POD, self.namespace, label_selector=SELECTOR).items
        return sorted(found, key=pod_name)

    def metrics(self) -> Mapping[str, str]:
        """Each running manager's ``/metrics`` text, through the API server's proxy to its pod."""
        return self._of_each([pod for pod in self.pods() if running(pod)], self._metrics)

    def logs(self, seconds: float) -> Mapping[str, Sequence[str]]:
        """Each manager's newest lines of the last ``seconds``, also of its former container."""
        return self._of_each(self.pods(), lambda pod: self._log(pod, seconds))

    def usage(self) -> Mapping[str, Usage] | None:
        """What metrics-server says; None without one."""
        try:
            found = self.kube.list(POD_METRICS, self.namespace, label_selector=SELECTOR).items
        except ApiError:
            return None
        used = {pod_name(each): _usage(each) for each in sorted(found, key=pod_name)}
        return {pod: usage for pod, usage in used.items() if usage is not None}

    def profiles(self) -> Mapping[str, Profile]:
        """Of the pods' own loopback, where alone they are served, by port-forward.

        Heaps only where allocations are traced from the start: whoever asks for one where they
        are not makes the manager trace for the moment, and look through all of its objects.
        """
        traced = self._traces_allocations()
        pods = [pod for pod in self.pods() if running(pod)]
        return self._of_each(pods, lambda pod: self._profile(pod, heap=traced))

    def _metrics(self, pod: Object) -> str:
        path = f"{_path(pod)}:{metrics_port(pod)}/proxy/metrics"
        return self.kube.read(path, limit=MAX_METRICS)[0].decode(errors="replace")

    def _traces_allocations(self) -> bool:
        try:
            found = self.kube.get(CONFIG_MAP, self.namespace, CONFIG_MAP_NAME)
        except ApiError:
            return False
        return (found.get("data") or {}).get(PROFILING_KEY) == "true"

    def _profile(self, pod: Object, *, heap: bool) -> Profile:
        where = (pod["metadata"]["namespace"], pod_name(pod), metrics_port(pod))
        tasks, sites = (
            self.kube.read_forwarded(*where, path, limit=MAX_PROFILE).decode(errors="replace")
            if wanted
            else ""
            for path, wanted in ((TASKS_PATH, True), (HEAP_PATH, heap))
        )
        return profile_of(tasks, sites)

    def _log(self, pod: Object, seconds: float) -> list[str]:
        query = {
            "container": CONTAINER,
            "sinceSeconds": str(max(1, math.ceil(seconds))),
            "tailLines": str(MAX_LINES),
            "limitBytes": str(MAX_LOG),
        }
        path = f"{_path(pod)}/log"
        lines: list[str] = []
        # Between two lives the log asked for is that of the life before, as it is.
        if container_status(pod).get("restartCount") and running(pod):
            with contextlib.suppress(ApiError):  # it is kept for one life, if at all
                lines += self._lines(path, {**query, "previous": "true"})
        return lines + self._lines(path, query)

    def _lines(self, path: str, query: dict[str, str]) -> list[str]:
        body, _ = self.kube.read(path, query, limit=MAX_LOG)
        return body.decode(errors="replace").splitlines()

    def _of_each(self, pods: Sequence[Object], read: Callable[[Object], T]) -> dict[str, T]:
        """Side by side, so that one that hangs holds up none; without those that fail.

        Raises Forbidden: a right that is missing is no manager that does not answer.
        """
        found: dict[str, T] = {}
        refused: list[Forbidden] = []

        def run(pod: Object) -> None:
            try:
                found[pod_name(pod)] = read(pod)
            except Forbidden as error:
                refused.append(error)
            except ApiError as error:
                log.debug("%s: %s", pod_name(pod), error)

        tasks = [self.runtime.spawn(run, pod, name=f"read/{pod_name(pod)}") for pod in pods]
        for task in tasks:
            task.join()
            if task.error is not None:
                raise task.error
        if refused:
            raise refused[0]
        return {pod_name(pod): found[pod_name(pod)] for pod in pods if pod_name(pod) in found}


def _path(pod: Object) -> str:
    return POD.path(pod["metadata"]["namespace"], quote(pod_name(pod), safe=""))


def _usage(measured: Object) -> Usage | None:
    used = named(measured.get("containers")).get("usage")
    if not used:
        return None
    return Usage(float(quantity(used.get("cpu"))), int(quantity(used.get("memory"))))


def _clock_ahead(kube: KubeClient, runtime: Runtime) -> float:
    """Seconds by which the server's clock is ahead of this machine's; raises an ApiError."""
    before = runtime.wall()
    _, headers = kube.read("/version", limit=_SMALL)
    middle = (before + runtime.wall()) / 2
    try:
        theirs = parsedate_to_datetime(headers.get("Date", "")).timestamp() + 0.5
    except (TypeError, ValueError):
        return 0.0  # it does not say
    ahead = theirs - middle
    return ahead if abs(ahead) > CLOCK_TOLERANCE else 0.0
