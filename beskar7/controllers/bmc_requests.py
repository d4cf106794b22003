"""From a host to a queued BMC operation, and from its end back to the host's reconcile."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass

from beskar7.api.meta import ObjectKey, View
from beskar7.api.resources import PhysicalHost
from beskar7.controllers import bmc_operations
from beskar7.controllers.boot import BootPlan
from beskar7.controllers.environment import Environment
from beskar7.controllers.grants import Grant, Grants
from beskar7.coordination.circuit import CircuitPolicy, CircuitState
from beskar7.coordination.operations import (
    Ending,
    Operation,
    OperationKind,
    QueueLimits,
    bmc_id,
)
from beskar7.coordination.pool import OperationPool, OperationTimedOut, PoolSettings
from beskar7.coordination.queue import ProvisioningQueue
from beskar7.kube.backoff import Exponential
from beskar7.redfish.port import (
    Bmc,
    BmcBusy,
    BmcConnector,
    BmcError,
    BmcTarget,
    BmcUnreachable,
    CallContext,
)
from beskar7.redfish.vendors import vendor_of
from beskar7.runtime import Deadline, DeadlineExceeded
from beskar7.tracing import about, traced

log = logging.getLogger(__name__)

SLOW_OPERATION = 30.0
"""Seconds: the guide's alarm threshold for the P95 of BMC operations."""
EFFECT_SHOWS = 10.0
"""Seconds from an action until its BMC shows the effect (assumption: power takes up to ten). Who
looks sooner after an answer that was lost would take it for not done, and do it again."""


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
        self._grants = Grants(env.runtime)
        self._running_since: dict[ObjectKey, float] = {}
        self._measured: set[str] = set()
        self._closed = False
        self._bmcs: dict[ObjectKey, str] = {}
        """The BMC of each host for which there was an operation."""
        self.pool = OperationPool(
            env.runtime,
            ProvisioningQueue(
                self._limits(), self._cooling, self._circuit_policy(), self._circuit_changed
            ),
            self._settings(),
            self._completed,
            judge,
        )

    def close(self) -> None:
        """Nothing waits or runs here any more; who leads next measures its own."""
        self._closed = True
        metrics = self._env.metrics
        metrics.queue_capacity.set(0)
        for gauge in (
            metrics.queue_length,
            metrics.queue_processing,
            metrics.suspects_waiting,
            metrics.circuit_state,
        ):
            gauge.clear()

    def reconfigure(self) -> None:
        """Take over the tuning as it is now."""
        self._env.metrics.queue_capacity.set(self._env.tuning().max_queue_size)
        self.pool.configure(self._limits(), self._settings(), self._circuit_policy())

    def _limits(self) -> QueueLimits:
        tuning = self._env.tuning()
        return QueueLimits(
            tuning.max_queue_size, tuning.max_concurrent_ops, tuning.concurrent_ops_by_vendor()
        )

    def _settings(self) -> PoolSettings:
        tuning = self._env.tuning()
        return PoolSettings(
            tuning.worker_count,
            tuning.suspect_worker_count,
            tuning.operation_timeout,
            longest_call=tuning.connection_timeout + tuning.request_timeout,
        )

    def _circuit_policy(self) -> CircuitPolicy:
        tuning = self._env.tuning()
        base = min(tuning.bmc_retry_delay, tuning.circuit_max_delay)
        backoff = Exponential(base, tuning.circuit_max_delay)
        rng = self._env.runtime.rng
        return CircuitPolicy(
            tuning.circuit_threshold,
            lambda bmc, trials: backoff.delay(trials, rng(_circuit_stream(bmc))),
        )

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
            # Known before a worker can begin.
            self._verifying_since.setdefault(host.key, now)
        vendor = vendor_of(host.manufacturer)
        grant = Grant(self._env.runtime, self._fence)
        operation = Operation(
            host=host.key,
            bmc=bmc_id(host.address),
            kind=kind,
            consumer_uid=host.consumer_uid,
            subject=host.raw,
            cooldown=tuning.cooldown(vendor),
            vendor=vendor.name,
            work=lambda: self._run(operation, host, resumed, grant),
            revoke=grant.revoke,
            priority=kind.priority,
            not_before=now + delay,
            attempt=attempt,
        )
        former, self._bmcs[host.key] = self._bmcs.get(host.key), operation.bmc
        if former not in (None, operation.bmc):
            self._forget_bmc(host.namespace, former)
        # Known before a worker can begin, so that a revocation cannot miss it.
        if kind.writes:
            self._grants.add(host.key, grant)
        self._measure(host.namespace)
        taken = False
        try:
            taken = self.pool.submit(operation)
        finally:
            if not taken:
                self._grants.drop(host.key, grant)
            elif kind is not OperationKind.VERIFY:
                self._verifying_since.pop(host.key, None)

    def cut(self) -> None:
        """Leave every BMC at once: others may use them from now on."""
        self._connector.cut()

    def busy(self, host: ObjectKey, kind: OperationKind | None = None) -> bool:
        return self.pool.holds(host, kind)

    def revoke(self, host: ObjectKey) -> bool:
        """Take the host's waiting operation back, and the right to write from a running one.

        False while a write is still under way: only when it is over may the host be given away.
        """
        self.pool.withdraw(host)
        return self._grants.revoke(host)

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
        self._grants.revoke(host)
        self._env.runtime.forget_rng(_operation_stream(host))
        self._forget_bmc(host.namespace, self._bmcs.pop(host, None))

    def _forget_bmc(self, namespace: str, bmc: str | None) -> None:
        """A host left its BMC: when it was the last one there, nothing more is told of that."""
        if bmc is None or bmc in self._bmcs.values():
            return
        self.pool.trust(bmc)
        self._env.metrics.cooldown_waits.remove(namespace, bmc)
        self._env.runtime.forget_rng(_circuit_stream(bmc))

    def trust(self, host: PhysicalHost) -> None:
        """What kept its BMC from answering may be over: new credentials, or somebody's hands."""
        self.pool.trust(bmc_id(host.address))

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

    def credentials_version(self, host: PhysicalHost) -> str:
        """What tells one content of the host's Secret from another; empty without a Secret."""
        secret = self._secret(ObjectKey(host.namespace, host.secret_name))
        return "" if secret is None else secret.resource_version

    def running_since(self, host: ObjectKey) -> float | None:
        """``now()`` of when the host's operation began; None while none runs."""
        return self._running_since.get(host)

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

    def _run(self, operation: Operation, host: PhysicalHost, resumed: bool, grant: Grant) -> object:
        runtime = self._env.runtime
        kind = operation.kind
        nonce = f"{runtime.rng(_operation_stream(host.key)).getrandbits(32):08x}"
        deadline = Deadline(runtime, self._env.tuning().operation_timeout, f"BMC {kind}")

        @contextmanager
        def writing() -> Iterator[None]:
            self.pool.before_write(operation, deadline.remaining())
            with grant.writing():
                yield

        def observe(request: str, outcome: str, seconds: float) -> None:
            self.pool.progressed(operation)
            self._env.metrics.request_duration.labels(request, outcome, operation.vendor).observe(
                seconds
            )

        context = CallContext(
            operation=f"{kind}:{host.name}:{host.consumer_uid or '-'}:{nonce}",
            deadline=deadline,
            writing=writing,
            observe=observe,
            powered=lambda action, outcome: self._env.metrics.controllers.power_operations.labels(
                action, outcome, host.namespace
            ).inc(),
        )
        started = self._running_since[host.key] = runtime.now()
        outcome = "error"
        owner = host.consumer_uid
        with (
            _about(operation),
            traced(self._env.tracer, runtime, f"bmc {kind}", owner, host=host.key),
        ):
            try:
                with closing(self._connector.connect(self._target(host), context)) as bmc:
                    result = self._perform(bmc, host, kind, resumed)
                outcome = "success"
                return result
            finally:
                self._grants.drop(host.key, grant)
                self._running_since.pop(host.key, None)
                self._report(host, kind, outcome, runtime.now() - started)

    @staticmethod
    def _perform(bmc: Bmc, host: PhysicalHost, kind: OperationKind, resumed: bool) -> object:
        plan = BootPlan.from_status(host.boot)
        match kind:
            case OperationKind.INSPECT:
                return bmc_operations.inspect(bmc)
            case OperationKind.VERIFY if host.consumer is None:
                return bmc_operations.verify_clean(bmc, plan)
            case OperationKind.VERIFY:
                return bmc_operations.verify(bmc, plan)
            case OperationKind.PROVISION:
                bmc_operations.provision(bmc, plan, resumed=resumed)
            case OperationKind.DEPROVISION:
                bmc_operations.deprovision(bmc, plan)
        return None

    def _report(
        self, host: PhysicalHost, kind: OperationKind, outcome: str, seconds: float
    ) -> None:
        metrics = self._env.metrics
        metrics.operations.labels(host.namespace, kind.value, outcome).inc()
        metrics.operation_duration.labels(kind.value, outcome).observe(seconds)
        slow = " (slow)" if seconds > SLOW_OPERATION else ""
        log.info("BMC operation %s on %s: %s in %.3fs%s", kind, host.key, outcome, seconds, slow)

    def _completed(self, operation: Operation, result: object, error: BaseException | None) -> None:
        host = operation.host
        reason = "" if error is None else getattr(error, "reason", type(error).__name__)
        self._env.metrics.controllers.connections.labels(
            "success" if error is None else "error", host.namespace, reason
        ).inc()
        if error is not None:
            with _about(operation):
                log.warning("BMC operation %s on %s failed: %s", operation.kind, host, error)
        since = self._verifying_since.get(host)
        waited = 0.0 if since is None else self._env.runtime.now() - since
        self._outcomes[host] = Outcome(
            operation.kind, operation.consumer_uid, result, error, operation.attempt, waited
        )
        self._wake(host)

    def _cooling(self, operation: Operation) -> None:
        self._env.metrics.cooldown_waits.labels(operation.host.namespace, operation.bmc).inc()
        text = f"BMC {operation.bmc} rests; {operation.kind} waits up to {operation.cooldown:g}s"
        with _about(operation):
            log.info("BMC cooldown: %s: %s", operation.host, text)
        self._env.recorder.event(operation.subject, "Normal", "BMCCooldown", text)

    def _circuit_changed(
        self, bmc: str, before: CircuitState, state: CircuitState, operation: Operation | None
    ) -> None:
        metrics = self._env.metrics
        metrics.circuit_changes.labels(state.value).inc()
        if state is CircuitState.CLOSED:
            metrics.circuit_state.remove(bmc)
        else:
            metrics.circuit_state.labels(bmc).set(2 if state is CircuitState.OPEN else 1)
        with nullcontext() if operation is None else _about(operation):
            log.info("BMC circuit of %s: %s -> %s", bmc, before, state)
        if operation is None:
            return
        event = self._env.recorder.event
        if state is CircuitState.CLOSED:
            event(operation.subject, "Normal", "BMCCircuitClosed", f"BMC {bmc} answers again")
        elif before is CircuitState.CLOSED:
            text = f"BMC {bmc} does not answer: its operations wait, and it is tried now and then"
            event(operation.subject, "Warning", "BMCCircuitOpen", text)

    def _measure(self, namespace: str) -> None:
        """From a namespace's first operation on its load is looked up whenever it is asked for."""
        if namespace in self._measured or self._closed:
            return
        self._measured.add(namespace)
        metrics, load = self._env.metrics, self.pool.load
        metrics.queue_length.labels(namespace).set_function(lambda: load(namespace).waiting)
        metrics.queue_processing.labels(namespace).set_function(lambda: load(namespace).processing)
        metrics.suspects_waiting.labels(namespace).set_function(lambda: load(namespace).suspects)
        # A counter that begins with its first event shows no increase by it.
        metrics.queue_rejections.labels(namespace)


def _about(operation: Operation) -> AbstractContextManager[None]:
    """What is logged within is about the operation's host, and for whom it is done."""
    owner = PhysicalHost(operation.subject).consumer_key
    return about(host=operation.host, machine=owner, claim=operation.consumer_uid)


def judge(error: BaseException | None) -> Ending:
    """What an operation's end says about its BMC: any answer shows that it lives."""
    match error:
        case None:
            return Ending(answered=True)
        case BmcUnreachable():
            return Ending(answered=False, hold=EFFECT_SHOWS if error.lost_write else 0.0)
        case DeadlineExceeded() | OperationTimedOut():
            return Ending(answered=False, hold=EFFECT_SHOWS)
        case BmcBusy():
            return Ending(answered=True, hold=error.retry_after)
        case BmcError():
            return Ending(answered=True)
        case _:  # its host was given back, or this term is over
            return Ending()


def _operation_stream(host: ObjectKey) -> str:
    return f"operation-id/{host}"


def _circuit_stream(bmc: str) -> str:
    return f"bmc-circuit/{bmc}"


def _decoded(secret: View, key: str) -> str:
    try:
        return base64.b64decode((secret.raw.get("data") or {}).get(key) or "").decode()
    except ValueError:
        return ""
