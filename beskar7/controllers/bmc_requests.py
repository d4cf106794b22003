"""From a host to a queued BMC operation, and from its end back to the host's reconcile."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from beskar7.api.meta import ObjectKey, View
from beskar7.api.resources import PhysicalHost
from beskar7.controllers import bmc_operations
from beskar7.controllers.environment import Environment
from beskar7.controllers.grants import Grant
from beskar7.coordination.pool import OperationPool
from beskar7.coordination.queue import (
    Operation,
    OperationKind,
    ProvisioningQueue,
    QueueFullError,
    QueueLimits,
    bmc_id,
)
from beskar7.redfish.port import Bmc, BmcConnector, BmcTarget, CallContext
from beskar7.redfish.vendors import vendor_of
from beskar7.runtime import Deadline

log = logging.getLogger(__name__)

SLOW_OPERATION = 30.0
"""Seconds: the guide's alarm threshold for the P95 of BMC operations."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an operation ended. ``waited``: seconds since what it verifies was first looked at."""

    kind: OperationKind
    consumer_uid: str
    result: object
    error: BaseException | None
    attempt: int
    waited: float


class BmcRequests:
    """All contact between the host controller and the BMCs passes here.

    ``fence`` raises when this term of leadership is over; it runs before every BMC write.
    """

    def __init__(
        self,
        env: Environment,
        connector: BmcConnector,
        secret: Callable[[ObjectKey], View | None],
        fence: Callable[[], None],
        wake: Callable[[ObjectKey], None],
    ) -> None:
        self._env = env
        self._connector = connector
        self._secret = secret
        self._fence = fence
        self._wake = wake
        self._outcomes: dict[ObjectKey, Outcome] = {}
        self._verifying_since: dict[ObjectKey, float] = {}
        self._grants: dict[ObjectKey, Grant] = {}
        tuning = env.tuning()
        self.pool = OperationPool(
            env.runtime,
            ProvisioningQueue(self._limits(), self._cooling),
            tuning.worker_count,
            self._completed,
        )

    def reconfigure(self) -> None:
        """Take over the tuning as it is now."""
        self.pool.configure(self._limits(), self._env.tuning().worker_count)

    def _limits(self) -> QueueLimits:
        tuning = self._env.tuning()
        return QueueLimits(tuning.max_queue_size, tuning.max_concurrent_ops)

    def submit(
        self,
        host: PhysicalHost,
        kind: OperationKind,
        *,
        delay: float = 0.0,
        attempt: int = 1,
        resumed: bool = False,
    ) -> None:
        """Queue an operation. Raises QueueFullError; nothing is done when the host has one."""
        tuning = self._env.tuning()
        now = self._env.runtime.now()
        if kind is OperationKind.VERIFY:
            self._verifying_since.setdefault(host.key, now)
        else:
            self._verifying_since.pop(host.key, None)
        cooldown = tuning.bmc_cooldown
        if cooldown is None:
            cooldown = vendor_of(host.manufacturer).cooldown
        grant = Grant(self._env.runtime, self._fence)
        operation = Operation(
            host=host.key,
            bmc=bmc_id(host.address),
            kind=kind,
            consumer_uid=host.consumer_uid,
            subject=host.raw,
            cooldown=cooldown,
            work=lambda: self._run(host, kind, resumed, grant),
            # Reads are short and tell what to do next; cleaning gives a host back to the pool.
            priority={OperationKind.PROVISION: 0, OperationKind.DEPROVISION: 1}.get(kind, 2),
            not_before=now + delay,
            attempt=attempt,
        )
        # Known before a worker can begin, so that a revocation cannot miss it.
        former = self._grants.get(host.key)
        if kind.writes:
            self._grants[host.key] = grant
        try:
            taken = self.pool.submit(operation)
        except QueueFullError:
            self._regrant(host.key, former)
            raise
        if not taken:
            self._regrant(host.key, former)
        self._gauge(host.namespace)

    def _regrant(self, host: ObjectKey, former: Grant | None) -> None:
        if former is None:
            self._grants.pop(host, None)
        else:
            self._grants[host] = former

    def busy(self, host: ObjectKey, kind: OperationKind | None = None) -> bool:
        return self.pool.holds(host, kind)

    def revoke(self, host: ObjectKey) -> bool:
        """Take the host's waiting operation back, and the right to write from a running one.

        False while a write is still under way: only when it is over may the host be given away.
        """
        self.pool.withdraw(host)
        grant = self._grants.get(host)
        return grant is None or grant.revoke()

    def outcome(self, host: ObjectKey) -> Outcome | None:
        """How the host's last operation ended, until ``settled``."""
        return self._outcomes.get(host)

    def settled(self, host: ObjectKey, outcome: Outcome) -> None:
        """The outcome is in the host's status now; one that came in since stays."""
        if self._outcomes.get(host) is outcome:
            del self._outcomes[host]

    def forget(self, host: ObjectKey) -> None:
        self.pool.withdraw(host)
        self._outcomes.pop(host, None)
        self._verifying_since.pop(host, None)
        self._grants.pop(host, None)

    def credentials_problem(self, host: PhysicalHost) -> tuple[str, str] | None:
        """(reason, message) when no call can be made; None when all is there."""
        if not host.secret_name:
            return "MissingCredentials", "spec.redfishConnection.credentialsSecretRef is empty"
        secret = self._secret(ObjectKey(host.namespace, host.secret_name))
        if secret is None:
            return "SecretNotFound", f"Secret {host.namespace}/{host.secret_name} does not exist"
        missing = [key for key in ("username", "password") if not _decoded(secret, key)]
        if missing:
            return (
                "MissingSecretData",
                f"Secret {host.namespace}/{host.secret_name} lacks {' and '.join(missing)}",
            )
        return None

    def _target(self, host: PhysicalHost) -> BmcTarget:
        secret = self._secret(ObjectKey(host.namespace, host.secret_name))
        if secret is None:
            raise LookupError(f"Secret {host.namespace}/{host.secret_name} is gone")
        return BmcTarget(
            host.address,
            _decoded(secret, "username"),
            _decoded(secret, "password"),
            host.verify_tls,
        )

    def _run(self, host: PhysicalHost, kind: OperationKind, resumed: bool, grant: Grant) -> object:
        runtime = self._env.runtime
        nonce = f"{runtime.rng(f'operation-id/{host.key}').getrandbits(32):08x}"
        context = CallContext(
            operation=f"{kind}:{host.name}:{host.consumer_uid or '-'}:{nonce}",
            deadline=Deadline(runtime, self._env.tuning().operation_timeout, f"BMC {kind}"),
            writing=grant.writing,
            observe=self._observe_request,
        )
        if kind.writes:
            self._gauge(host.namespace)
        started = runtime.now()
        outcome = "error"
        try:
            with closing(self._connector.connect(self._target(host), context)) as bmc:
                result = self._perform(bmc, host, kind, resumed)
            outcome = "success"
            return result
        finally:
            self._report(host, kind, outcome, runtime.now() - started)

    @staticmethod
    def _perform(bmc: Bmc, host: PhysicalHost, kind: OperationKind, resumed: bool) -> object:
        match kind:
            case OperationKind.INSPECT:
                return bmc_operations.inspect(bmc)
            case OperationKind.VERIFY if host.consumer is None:
                return bmc_operations.verify_clean(bmc)
            case OperationKind.VERIFY:
                return bmc_operations.verify(bmc, host.image)
            case OperationKind.PROVISION:
                bmc_operations.provision(bmc, host.image, resumed=resumed)
            case OperationKind.DEPROVISION:
                bmc_operations.deprovision(bmc)
        return None

    def _report(
        self, host: PhysicalHost, kind: OperationKind, outcome: str, seconds: float
    ) -> None:
        metrics = self._env.metrics
        metrics.operations.labels(host.namespace, kind.value, outcome).inc()
        metrics.operation_duration.labels(kind.value, outcome).observe(seconds)
        slow = " (slow)" if seconds > SLOW_OPERATION else ""
        log.info("BMC operation %s on %s: %s in %.3fs%s", kind, host.key, outcome, seconds, slow)

    def _observe_request(self, operation: str, outcome: str, seconds: float) -> None:
        self._env.metrics.request_duration.labels(operation, outcome).observe(seconds)

    def _completed(self, operation: Operation, result: object, error: BaseException | None) -> None:
        host = operation.host
        if error is not None:
            log.warning("BMC operation %s on %s failed: %s", operation.kind, host, error)
        since = self._verifying_since.get(host)
        waited = 0.0 if since is None else self._env.runtime.now() - since
        self._outcomes[host] = Outcome(
            operation.kind, operation.consumer_uid, result, error, operation.attempt, waited
        )
        self._gauge(host.namespace)
        self._wake(host)

    def _cooling(self, operation: Operation) -> None:
        self._env.metrics.cooldown_waits.labels(operation.host.namespace, operation.bmc).inc()
        text = f"BMC {operation.bmc} rests; {operation.kind} waits up to {operation.cooldown:g}s"
        log.info("BMC cooldown: %s: %s", operation.host, text)
        self._env.recorder.event(operation.subject, "Normal", "BMCCooldown", text)

    def _gauge(self, namespace: str) -> None:
        self._env.metrics.queue_length.labels(namespace).set(self.pool.length)
        self._env.metrics.queue_processing.labels(namespace).set(self.pool.processing)


def _decoded(secret: View, key: str) -> str:
    try:
        return base64.b64decode((secret.raw.get("data") or {}).get(key) or "").decode()
    except ValueError:
        return ""
