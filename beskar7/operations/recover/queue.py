"""The provisioning queue: drain it, restart the managers if asked to, and let it go on as before.

The guide's procedure, with what it lacks: the value that was there comes back (or its absence), a
queue is drained when nothing runs rather than when nothing waits, and no wait is without end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from beskar7.api.errors import AlreadyExists, NotFound
from beskar7.api.kinds import CONFIG_MAP, DEPLOYMENT, POD
from beskar7.api.meta import rfc3339
from beskar7.api.objects import Object
from beskar7.config import CONFIG_MAP_NAME, Tuning, read_setting
from beskar7.manifests.objects import NAME, config_map
from beskar7.operations import managers, podstatus
from beskar7.operations.cluster import Cluster
from beskar7.operations.recover.journal import RecoveryRefused
from beskar7.operations.recover.procedure import Step
from beskar7.operations.recover.report import Report
from beskar7.operations.series import Managers

KEY = "provisioning.maxConcurrentOps"
TIMEOUT_KEY = "provisioning.operationTimeout"
LENGTH = "beskar7_provisioning_queue_length"
PROCESSING = "beskar7_provisioning_queue_processing_count"
LIMIT = "beskar7_provisioning_concurrency_limit"
VALID = "beskar7_configuration_valid"
SERIES = (LENGTH, PROCESSING, LIMIT, VALID, managers.LEADS)
MARGIN = 30.0
"""Seconds beyond the operation timeout: until the ConfigMap is seen, and outcomes are told."""
RESTART_TIMEOUT = 300.0
"""Seconds for a rollout of some managers, one after the other."""
MOVE_TIMEOUT = 120.0
"""Seconds until something begins: twice the longest rest that a BMC may be given."""


class QueueReset:
    """See :class:`beskar7.operations.recover.procedure.Procedure`.

    ``ops``: what ``provisioning.maxConcurrentOps`` is to be afterwards; None: what it was.
    """

    name = "queue"

    def __init__(self, cluster: Cluster, *, ops: int | None = None, restart: bool = False) -> None:
        self._cluster = cluster
        self._kube = cluster.kube
        self._ops = ops
        self._restart = restart

    # --- what there is ------------------------------------------------------------------------

    def find(self) -> list[str]:
        if managers.deployment(self._cluster) is None:
            raise RecoveryRefused(
                f"there is no Deployment {NAME} in namespace {self._cluster.namespace}"
            )
        told = managers.told(self._cluster, *SERIES)
        waiting, running, limit = (told.total(name) for name in (LENGTH, PROCESSING, LIMIT))
        if not told.each:
            return ["no manager tells its metrics"]
        at_rest = not waiting and not running and limit > 0
        if at_rest and not self._restart and self._ops is None:
            return []
        return [f"{waiting:g} operations wait, {running:g} run, and {limit:g} may run at once"]

    def remember(self) -> dict[str, Any]:
        config = self._config()
        value = self._value(config)
        if self._ops is not None:
            value = str(self._ops)
        elif value is not None and not _limit(value):
            raise RecoveryRefused(
                f"ConfigMap {self._cluster.namespace}/{CONFIG_MAP_NAME}: {KEY} is {value!r} "
                "already, which is no value to go back to: say with --ops N what it is to be"
            )
        at = rfc3339(self._cluster.runtime.wall())
        return {
            "value": value,
            "configMap": config is not None,
            "timeout": self._operation_timeout(config),
            "restartedAt": at if self._restart else "",
        }

    def _config(self) -> Object | None:
        try:
            return self._kube.get(CONFIG_MAP, self._cluster.namespace, CONFIG_MAP_NAME)
        except NotFound:
            return None

    @staticmethod
    def _value(config: Object | None) -> str | None:
        found = ((config or {}).get("data") or {}).get(KEY)
        return None if found is None else str(found)

    @staticmethod
    def _operation_timeout(config: Object | None) -> float:
        given = ((config or {}).get("data") or {}).get(TIMEOUT_KEY)
        try:
            return float(read_setting(TIMEOUT_KEY, str(given))[1])
        except ValueError:
            return Tuning().operation_timeout

    # --- the steps ----------------------------------------------------------------------------

    def steps(self, saved: dict[str, Any]) -> Sequence[Step]:
        namespace = self._cluster.namespace
        restored = self._restored(saved)
        steps = [
            Step(
                "drain",
                f"set {KEY} to 0: what runs is finished, nothing begins; wait until nothing runs",
                lambda: self._set(saved, "0"),
                lambda _: self._drained(),
                POD,
                namespace,
                float(saved["timeout"]) + MARGIN,
                until="resume",
            )
        ]
        if saved["restartedAt"]:
            steps.append(
                Step(
                    "restart",
                    f"restart the managers of {NAME} one after the other, and wait for the last",
                    lambda: self._roll(str(saved["restartedAt"])),
                    managers.rolled_out_among,
                    DEPLOYMENT,
                    namespace,
                    RESTART_TIMEOUT,
                )
            )
        return [
            *steps,
            Step(
                "resume",
                f"{restored}, and wait until it is in force",
                lambda: self._set(saved, saved["value"]),
                lambda _: self._in_force(saved),
                POD,
                namespace,
                MARGIN,
            ),
            Step(
                "verify",
                "make sure that the queue moves: something runs, or nothing waits",
                lambda: None,
                lambda _: self._moves(),
                POD,
                namespace,
                MOVE_TIMEOUT,
            ),
        ]

    def _restored(self, saved: dict[str, Any]) -> str:
        if saved["value"] is not None:
            return f"set {KEY} to {saved['value']}"
        if saved["configMap"]:
            return f"take {KEY} out of the ConfigMap again, as it was"
        return f"delete ConfigMap {CONFIG_MAP_NAME}, as there was none"

    def _set(self, saved: dict[str, Any], value: str | None) -> None:
        """This key alone; with the ConfigMap if there was none before."""
        namespace = self._cluster.namespace
        if value is None and not saved["configMap"]:
            self._delete_if_ours()
            return
        try:
            self._kube.patch(CONFIG_MAP, namespace, CONFIG_MAP_NAME, {"data": {KEY: value}})
        except NotFound:
            if value is None:
                return
            try:
                self._kube.create(CONFIG_MAP, config_map(namespace, {KEY: value}))
            except AlreadyExists:
                self._kube.patch(CONFIG_MAP, namespace, CONFIG_MAP_NAME, {"data": {KEY: value}})

    def _delete_if_ours(self) -> None:
        """The ConfigMap that was made for this; somebody's keys that are in it by now stay."""
        config = self._config()
        if config is None:
            return
        if set(config.get("data") or {}) <= {KEY}:
            version = str(config["metadata"]["resourceVersion"])
            namespace = self._cluster.namespace
            self._kube.delete(CONFIG_MAP, namespace, CONFIG_MAP_NAME, resource_version=version)
        else:
            patch = {"data": {KEY: None}}
            self._kube.patch(CONFIG_MAP, self._cluster.namespace, CONFIG_MAP_NAME, patch)

    def _led(self) -> tuple[Managers, str]:
        """The managers' metrics, and why they do not tell of the whole queue ("" if they do)."""
        told = managers.told(self._cluster, *SERIES)
        pods = [pod for pod in managers.pods(self._cluster) if managers.alive(pod)]
        silent = [name for name in map(podstatus.pod_name, pods) if name not in told.each]
        if silent:
            return told, f"no metrics from {', '.join(silent)}"
        content = managers.saying(told, VALID)
        refusing = [pod for pod in told.each if pod not in content]
        if refusing:
            return told, (
                f"{', '.join(refusing)}: refuses ConfigMap {CONFIG_MAP_NAME}, see its Event "
                "InvalidConfiguration or beskar7 check-config"
            )
        return told, "" if managers.saying(told, managers.LEADS) else "no manager leads"

    def _drained(self) -> str:
        told, why = self._led()
        if why:
            return why
        limit, running = told.total(LIMIT), told.total(PROCESSING)
        if limit > 0:
            return f"the managers still let {limit:g} operations run"
        return f"{running:g} operations run" if running else ""

    def _roll(self, at: str) -> None:
        annotations = {managers.RESTARTED: at}
        patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        self._kube.patch(DEPLOYMENT, self._cluster.namespace, NAME, patch)

    def _in_force(self, saved: dict[str, Any]) -> str:
        told, why = self._led()
        value = saved["value"]
        wanted = Tuning().max_concurrent_ops if value is None else _limit(value)
        limit = told.total(LIMIT)
        if why or limit == wanted:
            return why
        return f"the managers let {limit:g} operations run, not {wanted}"

    def _moves(self) -> str:
        told, why = self._led()
        waiting, running = told.total(LENGTH), told.total(PROCESSING)
        return why or ("" if running or not waiting else f"{waiting:g} operations wait, none runs")

    # --- back ---------------------------------------------------------------------------------

    def undo(self, saved: dict[str, Any]) -> Sequence[Step]:
        return [
            Step(
                "restore",
                f"{self._restored(saved)}, and wait until it is in force",
                lambda: self._set(saved, saved["value"]),
                lambda _: self._in_force(saved),
                POD,
                self._cluster.namespace,
                MARGIN,
            )
        ]

    def left(self, saved: dict[str, Any], begun: set[str]) -> list[str]:
        if "drain" not in begun or "verify" in begun:
            return []
        was = "absent" if saved["value"] is None else f'"{saved["value"]}"'
        return [f"{KEY} of ConfigMap {CONFIG_MAP_NAME}: it is to be {was}"]

    def conclude(self, saved: dict[str, Any], report: Report) -> None:
        told = managers.told(self._cluster, *SERIES)
        waiting, running = told.total(LENGTH), told.total(PROCESSING)
        report.advice.append(f"now {waiting:g} operations wait and {running:g} run")


def _limit(value: str) -> int:
    """0 also for what the managers would refuse."""
    try:
        return int(read_setting(KEY, value)[1])
    except ValueError:
        return 0
