"""What comes next for a host: one step, from its state and the outcome of its last operation.

The steps change ``host.status`` only; writing it and carrying the step out is the reconciler's.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from beskar7.api import conditions
from beskar7.api.meta import ObjectKey, rfc3339
from beskar7.api.resources import HOST_FINALIZER, PhysicalHost
from beskar7.api.states import HostState, may_move
from beskar7.controllers.bmc_operations import BootStatus
from beskar7.controllers.bmc_requests import BmcRequests, Outcome
from beskar7.controllers.environment import Environment
from beskar7.coordination.operations import OperationKind
from beskar7.redfish.port import BmcError, BmcFault, Inventory

log = logging.getLogger(__name__)

CLEANING = (OperationKind.DEPROVISION, OperationKind.VERIFY)
CLEAN_POLL = 0.5
"""Seconds from a clean-up to the first look at its effect: of the order of a power-off."""
CLEAN_TIMEOUT = 30.0
"""Seconds that a BMC may take to show it. Assumption: power-off takes up to ten or so."""


class CannotClean(Exception):
    """The BMC could not be brought to power off and no media; ``error`` says why."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Step:
    """What follows the status write: an operation, a later look, or nothing."""

    operation: OperationKind | None = None
    delay: float = 0.0
    attempt: int = 1
    resumed: bool = False
    look_again: float | None = None
    let_go: bool = False


class HostLifecycle:
    """Remembers of a host only how often its recovery failed; all else is in the API."""

    def __init__(self, env: Environment, requests: BmcRequests) -> None:
        self._env = env
        self._requests = requests
        self._errors: dict[ObjectKey, int] = {}
        """Failed recoveries in a row, for the backoff between them."""
        self._retry_at: dict[ObjectKey, float] = {}

    def next_step(self, host: PhysicalHost, outcome: Outcome | None) -> Step:
        return self._delete(host, outcome) if host.deleting else self._advance(host, outcome)

    def retry_now(self, key: ObjectKey) -> None:
        """Whatever failed may work now: no need to wait for the backoff."""
        self._retry_at.pop(key, None)

    def forget(self, key: ObjectKey) -> None:
        self._errors.pop(key, None)
        self._retry_at.pop(key, None)

    # --- one step by state --------------------------------------------------------------------

    def _advance(self, host: PhysicalHost, outcome: Outcome | None) -> Step:
        unowned = host.consumer is None
        match host.state:
            case HostState.NONE | HostState.UNKNOWN:
                self._move(host, HostState.ENROLLING)
                return self._ask(host, OperationKind.INSPECT)
            case HostState.ENROLLING:
                return self._enrol(host, outcome)
            case HostState.AVAILABLE:
                if not unowned:
                    self._move(host, HostState.CLAIMED)
                return Step()
            case HostState.CLAIMED if not unowned:
                return self._begin_provisioning(host)
            case HostState.PROVISIONING if not unowned:
                return self._provision(host, outcome)
            case HostState.PROVISIONED if not unowned:
                return Step()
            case HostState.DEPROVISIONING:
                return self._clean(host, outcome)
            case HostState.ERROR:
                return self._recover(host, outcome)
            case _:  # an owned state whose owner is gone
                return self._begin_cleaning(host)

    def _enrol(self, host: PhysicalHost, outcome: Outcome | None) -> Step:
        if outcome is None or outcome.kind is not OperationKind.INSPECT:
            return self._ask(host, OperationKind.INSPECT)
        if outcome.error is not None:
            return self._failed(host, outcome.error)
        assert isinstance(outcome.result, Inventory)
        self._record(host, outcome.result)
        self._move(host, HostState.AVAILABLE)
        return Step()

    def _begin_provisioning(self, host: PhysicalHost) -> Step:
        if not host.image:
            self._env.condition(
                host,
                conditions.HOST_PROVISIONED,
                False,
                "WaitingForBootInfo",
                "The consumer has not set bootIsoSource",
                "Info",
            )
            return Step()
        self._move(host, HostState.PROVISIONING)
        # From here on the host may carry somebody's image: what is left of this mark when the
        # owner lets go is what has to be cleaned.
        host.status["boot"] = {"image": host.image, "consumerUID": host.consumer_uid}
        self._env.condition(host, conditions.HOST_PROVISIONED, False, "Provisioning", "", "Info")
        return Step(OperationKind.PROVISION)

    def _provision(self, host: PhysicalHost, outcome: Outcome | None) -> Step:
        tuning = self._env.tuning()
        ours = (OperationKind.PROVISION, OperationKind.VERIFY)
        if outcome is None or outcome.kind not in ours or outcome.consumer_uid != host.consumer_uid:
            # Nothing is known of this boot: the process that led it is gone, or it was a former
            # owner's operation.
            asked = bool(host.status.get("boot", {}).get("requestedAt"))
            return self._ask(
                host, OperationKind.VERIFY if asked else OperationKind.PROVISION, resumed=True
            )
        if outcome.error is not None:
            if outcome.attempt <= tuning.bmc_max_retries and _transient(outcome.error):
                return Step(
                    outcome.kind, self._op_backoff(outcome.attempt), outcome.attempt + 1, True
                )
            return self._failed(host, outcome.error)
        if outcome.kind is OperationKind.VERIFY:
            return self._booted(host, outcome)
        host.status["boot"]["requestedAt"] = rfc3339(self._env.runtime.wall())
        self._env.condition(
            host, conditions.HOST_PROVISIONED, False, "Booting", "The host boots its image", "Info"
        )
        return Step(OperationKind.VERIFY, tuning.boot_poll_interval)

    def _booted(self, host: PhysicalHost, outcome: Outcome) -> Step:
        assert isinstance(outcome.result, BootStatus)
        status = outcome.result
        host.status["observedPowerState"] = status.power
        if status.booted:
            self._move(host, HostState.PROVISIONED)
            self._env.condition(host, conditions.HOST_PROVISIONED, True)
            host.status["ready"] = True
            self._errors.pop(host.key, None)
            log.info("host %s is provisioned with %s", host.key, host.image)
            self._env.recorder.event(
                host.raw, "Normal", "Provisioned", f"The host booted {host.image}"
            )
            return Step()
        tuning = self._env.tuning()
        if outcome.waited > tuning.boot_timeout:
            return self._failed(
                host,
                BmcError(
                    f"the host has not booted within {tuning.boot_timeout:g}s "
                    f"(power {status.power}, progress {status.progress or 'unknown'})"
                ),
            )
        return Step(OperationKind.VERIFY, tuning.boot_poll_interval)

    def _begin_cleaning(self, host: PhysicalHost) -> Step:
        self._move(host, HostState.DEPROVISIONING)
        self._env.condition(host, conditions.HOST_PROVISIONED, False, "Deprovisioning", "", "Info")
        self._requests.revoke(host.key)
        return self._ask(host, OperationKind.DEPROVISION)

    def _clean(self, host: PhysicalHost, outcome: Outcome | None) -> Step:
        try:
            step = self._cleaning(host, outcome)
        except CannotClean as failure:
            return self._failed(host, failure.error)
        if step is not None:
            return step
        host.status.pop("boot", None)
        host.status["observedPowerState"] = "Off"
        self._move(host, HostState.AVAILABLE)
        self._errors.pop(host.key, None)
        log.info("host %s is clean and available", host.key)
        return Step()

    def _cleaning(self, host: PhysicalHost, outcome: Outcome | None) -> Step | None:
        """Clean, then look whether the BMC did it; None once it is proven.

        An accepted request proves nothing: power takes its time, and clients of BMCs (sushy's
        eject_media among them) let some refusals pass as success.

        Raises:
            CannotClean: the retries are used up.
        """
        if outcome is None or outcome.kind not in CLEANING or outcome.consumer_uid:
            # Nothing is known of this clean-up, or it was the former owner's operation that ended.
            return self._ask(host, OperationKind.DEPROVISION)
        tuning = self._env.tuning()
        if outcome.error is not None:
            if outcome.attempt <= tuning.bmc_max_retries and _transient(outcome.error):
                return Step(outcome.kind, self._op_backoff(outcome.attempt), outcome.attempt + 1)
            raise CannotClean(outcome.error)
        if outcome.kind is OperationKind.DEPROVISION:
            return Step(OperationKind.VERIFY, CLEAN_POLL, outcome.attempt)
        if outcome.result is True:
            return None
        if outcome.waited < CLEAN_TIMEOUT:
            return Step(OperationKind.VERIFY, tuning.boot_poll_interval, outcome.attempt)
        if outcome.attempt <= tuning.bmc_max_retries:
            return Step(OperationKind.DEPROVISION, attempt=outcome.attempt + 1)
        raise CannotClean(
            BmcFault(f"still on or with media {CLEAN_TIMEOUT:g}s after it was asked to be clean")
        )

    # --- failure and recovery -----------------------------------------------------------------

    def _failed(self, host: PhysicalHost, error: BaseException) -> Step:
        reason = error.reason if isinstance(error, BmcError) else "OperationFailed"
        provisioning = host.state in (HostState.PROVISIONING, HostState.DEPROVISIONING)
        text = str(error) or type(error).__name__
        self._move(host, HostState.ERROR)
        host.status["errorMessage"] = text
        self._env.condition(host, conditions.REDFISH_CONNECTION_READY, False, reason, text, "Error")
        self._env.recorder.event(
            host.raw, "Warning", "ProvisioningFailed" if provisioning else reason, text
        )
        return self._wait_and_recover(host, error)

    def _wait_and_recover(self, host: PhysicalHost, error: BaseException) -> Step:
        """Exponential backoff; refused credentials wait longest, as BMCs lock accounts."""
        tuning = self._env.tuning()
        failures = self._errors[host.key] = self._errors.get(host.key, 0) + 1
        base = tuning.bmc_retry_delay * 2.0 ** min(failures - 1, 16)
        delay = min(base, tuning.max_backoff_delay)
        if not _transient(error):
            delay = max(delay, 10 * tuning.max_backoff_delay)
        jitter = 0.75 + 0.5 * self._env.runtime.rng(f"host-backoff/{host.key}").random()
        delay *= jitter
        self._retry_at[host.key] = self._env.runtime.now() + delay
        log.warning("host %s: %s; next try in %.1fs", host.key, error, delay)
        return Step(look_again=delay)

    def _recover(self, host: PhysicalHost, outcome: Outcome | None) -> Step:
        """Prove that the BMC answers; then take the host up where its marks say it is."""
        if outcome is not None and outcome.kind is OperationKind.INSPECT:
            if outcome.error is not None:
                text = str(outcome.error)
                host.status["errorMessage"] = text
                reason = getattr(outcome.error, "reason", "OperationFailed")
                self._env.condition(
                    host, conditions.REDFISH_CONNECTION_READY, False, reason, text, "Error"
                )
                return self._wait_and_recover(host, outcome.error)
            assert isinstance(outcome.result, Inventory)
            self._record(host, outcome.result)
            if host.consumer is not None:
                self._move(host, HostState.CLAIMED)
            elif host.boot_consumer_uid:
                return self._begin_cleaning(host)
            else:
                self._move(host, HostState.ENROLLING)
            return Step()  # the status write brings the host back here
        remaining = self._retry_at.get(host.key, 0.0) - self._env.runtime.now()
        if remaining > 0:
            return Step(look_again=remaining)
        return self._ask(host, OperationKind.INSPECT)

    # --- deletion -----------------------------------------------------------------------------

    def _delete(self, host: PhysicalHost, outcome: Outcome | None) -> Step:
        if not host.has_finalizer(HOST_FINALIZER):
            return Step()
        if host.consumer is not None:
            self._env.condition(
                host,
                conditions.HOST_PROVISIONED,
                False,
                "WaitingForConsumerRelease",
                f"Owned by {host.consumer_key}",
                "Info",
            )
            return Step()
        if not host.boot_consumer_uid:
            # Never given an image by us: nothing of ours is on it.
            return Step(let_go=True)
        if host.state != HostState.DEPROVISIONING:
            return self._begin_cleaning(host)
        try:
            return self._cleaning(host, outcome) or Step(let_go=True)
        except CannotClean as failure:
            text = f"Deleted although its BMC could not be cleaned: {failure.error}"
            self._env.recorder.event(host.raw, "Warning", "CleanupSkipped", text)
            return Step(let_go=True)

    # --- small helpers ------------------------------------------------------------------------

    def _ask(self, host: PhysicalHost, kind: OperationKind, *, resumed: bool = False) -> Step:
        """An operation, unless one of this host is under way or its credentials are missing."""
        # Cleaning may be asked for while the former owner's operation still runs: the queue lets
        # it begin when that has ended and the BMC has rested.
        cleaning = kind is OperationKind.DEPROVISION
        if self._requests.busy(host.key, kind if cleaning else None):
            return Step()
        problem = self._requests.credentials_problem(host)
        if problem is not None:
            reason, text = problem
            host.status["errorMessage"] = text
            if self._env.condition(
                host, conditions.REDFISH_CONNECTION_READY, False, reason, text, "Warning"
            ):
                self._env.recorder.event(host.raw, "Warning", reason, text)
            return Step()
        return Step(kind, resumed=resumed)

    def _record(self, host: PhysicalHost, found: Inventory) -> None:
        host.status["hardwareDetails"] = {
            "manufacturer": found.manufacturer,
            "model": found.model,
            "serialNumber": found.serial_number,
            "cpuCores": found.cpu_cores,
            "memoryGiB": found.memory_gib,
            "status": {
                "health": found.health,
                "healthRollup": found.health_rollup,
                "state": found.state,
            },
        }
        host.status["addresses"] = [
            {"type": item.type, "address": item.address} for item in found.addresses
        ]
        host.status["observedPowerState"] = found.power
        self._env.condition(host, conditions.REDFISH_CONNECTION_READY, True)

    def _move(self, host: PhysicalHost, target: HostState) -> None:
        if not may_move(host.state, target):
            raise AssertionError(f"{host.key}: {host.state!r} -> {target!r} is no legal edge")
        if host.state != target:
            log.info("host %s: %s -> %s", host.key, host.state or "None", target)
        host.status["state"] = target.value
        if target is not HostState.ERROR:
            host.status.pop("errorMessage", None)
        available = target is HostState.AVAILABLE
        host.status["ready"] = available
        self._env.condition(
            host,
            conditions.HOST_AVAILABLE,
            available,
            "" if available else target.value,
            "",
            "" if available else "Info",
        )

    def _op_backoff(self, attempt: int) -> float:
        tuning = self._env.tuning()
        return min(tuning.bmc_retry_delay * 2.0 ** (attempt - 1), tuning.max_backoff_delay)


def _transient(error: BaseException) -> bool:
    return not isinstance(error, BmcError) or error.transient
